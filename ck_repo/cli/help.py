"""``--help`` for the command, each module and each action."""

from __future__ import annotations

from ck_repo import __version__
from ck_repo.actions import catalogue
from ck_repo.actions.declare import Action, Option
from ck_repo.cli.checking import COMMON
from ck_repo.table import pair_lines


def overview() -> list[str]:
    """Help for the command."""
    rows = [(name, catalogue.module_summary(name)) for name in catalogue.module_names()]
    return [
        f"ck {__version__}: MLPerf Inference v1.0 object detection, reproducible",
        "",
        "usage: ck <action> <module>[:<entry>] [--key=value] [--flag] [key=value] [@file.json] [@@@{json}] [-- rest]",
        "",
        "first steps:",
        "  ck run program:object-detection            install what it needs, run the demo benchmark, record it",
        "  ck show experiment                         the last result, as a table",
        "  ck create venv:mlperf-inference --template=mlperf-inference-1.0",
        "",
        "modules (`ck <module> --help` or `ck help <module>` lists the actions of one):",
        *pair_lines(rows, "  "),
        "",
        "Every action has --help with an example. Repositories are in CK_REPOS, installed things in CK_TOOLS.",
    ]


def of_module(module: str) -> list[str]:
    """Help for a module: its actions."""
    actions = {row.name: row for row in catalogue.actions_of(module).values()}
    return [
        f"{module}: {catalogue.module_summary(module)}",
        "",
        "actions (`ck <action> " + module + " --help` shows more):",
        *pair_lines([(name, actions[name].summary) for name in sorted(actions)], "  "),
    ]


def of_action(module: str, action: Action) -> list[str]:
    """Help for an action: summary, options, example."""
    usage = action.usage or f"ck {action.name} {module or ''}{'[:<entry>]' if module else ''} [options]"
    lines = [
        f"{action.name} {module}: {action.summary}".replace(" :", ":"),
        "",
        f"usage: {usage}",
        "",
        "example:",
        f"  {action.example}",
    ]
    for title, options in (("options", action.options), ("options of every action", COMMON)):
        if options:
            lines += ["", f"{title}:"]
            rows = [(_typed(option), _described(option)) for option in options]
            width = min(max(len(left) for left, _ in rows), 34)
            lines += [f"  {left.ljust(width)}  {right}" for left, right in rows]
    if words := catalogue.spellings(action.name, module):
        lines += ["", f"also: {', '.join(words)}"]
    return lines


def _typed(option: Option) -> str:
    if option.kind == "flag":
        return f"--{option.name}"
    if option.kind == "nested":
        return f"--{option.name}.KEY=…"
    value = {"integer": "N", "number": "X"}.get(option.kind, option.value)
    return f"--{option.name}={value}"


def _described(option: Option) -> str:
    text = option.help
    if allowed := option.allowed():
        text += f" ({', '.join(allowed)})"
    if option.aliases:
        text += f" [also {', '.join('--' + name for name in option.aliases)}]"
    return text

"""The environment variables of installed and registered components: print, write, use, check."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo import progress
from ck_repo.actions.declare import TAGS, Actions, Answer, Option, action, without_effect
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import all_matching
from ck_repo.actions.package import VENV
from ck_repo.actions.request import Request
from ck_repo.errors import DetectError, MismatchError, UsageError
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.environment.virtual import Named
    from ck_repo.install.refresh import Refreshed
    from ck_repo.session import Session
    from ck_repo.store.entry import Entry

ACTIONS: Actions = {}
_SHELL_FILE = "tmp-ck-env.bat"  # CK's name for the file, on every system
_SHELL = Option("shell", "the shell to write for or to open", value="zsh", choices=("bash", "zsh", "fish", "sh"))
_GROUPS = Option("tag_groups", "several sets of tags, separated by spaces", value='"a,b c,d"')


def _named(request: Request) -> list[Named]:
    """The components that a request selects by entries, tags or groups of tags."""
    from ck_repo.environment.venv import chosen_name, find_venv
    from ck_repo.environment.virtual import conflicts, named

    venv = find_venv(request.session, chosen_name(request.text("venv")))
    tags = request.text("tags")
    patterns = [name for name in request.entry.split(",") if name]
    patterns += [target.entry or target.module for target in request.more]
    wanted = [(pattern, tags) for pattern in patterns] or ([("", tags)] if tags else [])
    wanted += [("", group) for group in request.text("tag_groups").split()]
    if not wanted:
        command = f"ck {request.action} env"
        raise UsageError("nothing was given", hint=f"`{command} --tags=…` or `{command}:UID`; `ck show env` lists all")
    rows = [row for pattern, group in wanted for row in named(request.session, pattern, group, venv)]
    for first, others in conflicts(rows):
        names = ", ".join(map(_called, others))
        progress.warn(f"{_called(first)} is used; {names} set the same variables to other values: name one, or use more tags")
    return rows


def _called(row: Named) -> str:
    """What sets variables, with the name for selecting it."""
    return f"{row.name} (env:{row.entry.alias})" if row.entry else row.name


def _data(rows: Sequence[Named]) -> dict[str, object]:
    from ck_repo.environment.virtual import together

    listed = []
    for row in rows:
        about = {"name": row.name, "dict": dict(row.meta or {}), "env": row.variables.as_data()}
        listed.append({**(row_of(row.entry) if row.entry else {}), **about})
    return {"lst": listed, "dict": listed[0]["dict"], "env": together(rows).as_data()}


@action(
    ACTIONS,
    "cat",
    "print the environment variables of a component, for a shell (`ck load env` prints its meta.json)",
    example="ck cat env --tags=model,demo",
    options=[TAGS, _GROUPS, VENV, _SHELL],
    more_entries=True,
)
def cat(request: Request) -> Answer:
    """Print exports, each variable once, with the value that `ck virtual env` uses."""
    from ck_repo.environment.virtual import together

    rows = _named(request)
    lines = []
    for row in rows:
        tags = ",".join(map(str, (row.meta or {}).get("tags", [])))
        lines += [f"# {_commented(row.name)}", *([f"# tags: {_commented(tags)}"] if tags else [])]
    return Answer(_data(rows), [*lines, *together(rows).lines(request.text("shell") or "sh")])


def _commented(text: str) -> str:
    """A text on one line, so that it stays within a shell comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


@action(
    ACTIONS,
    "virtual",
    "run a command with the environment variables of a component, or open a shell with them",
    example="ck virtual env --tags=model,demo --shell_cmd='ls $CK_ENV_ONNX_MODEL'",
    usage="ck virtual env[:UID …] [--tags=…] [--shell_cmd='command line']",
    options=[
        TAGS,
        _GROUPS,
        Option("shell_cmd", "the command line to run (default: open a shell)", value="LINE"),
        Option("verbose", "print the variables first", kind="flag"),
        VENV,
        _SHELL,
    ],
    more_entries=True,
)
def virtual(request: Request) -> Answer:
    """Run or open a shell; its exit status is returned."""
    from ck_repo.environment.activate import open_shell, user_shell
    from ck_repo.environment.virtual import run_with, together

    variables = together(_named(request))
    json = request.text("out") == "json"
    if request.flag("verbose"):
        progress.say("\n".join(variables.lines()), always=True)
    command = request.text("shell_cmd")
    if not command and json:
        raise UsageError("--out=json needs --shell_cmd=", hint="`ck cat env --out=json` prints only the variables")
    if command:
        status = run_with(variables, command, output=2 if json else None)
    else:
        shell = user_shell(request.text("shell"))
        progress.say("a shell with the variables set; type `exit` to leave it", always=True)
        status = open_shell(variables.lines(shell), shell, variables.environment(os.environ))
    code = status if status >= 0 else 128 - status
    failed = {"error": f"the command ended with exit status {code}"} if code else {}
    return Answer({**failed, "status": status, "env": variables.as_data()}, status=code)


_SET = [
    TAGS,
    _GROUPS,
    Option("bat_file", "the file to append the lines to (default: print them)", value="FILE"),
    Option("bat_new", "replace the file instead of appending", kind="flag"),
    Option("print", "print the selected components", kind="flag"),
    without_effect("local", "only components on this machine are used"),
    VENV,
    _SHELL,
]


@action(
    ACTIONS,
    "set",
    "write the lines that set environment variables to a file, for scripts to source",
    example="ck set env --tags=model,demo --bat_file=tmp-ck-env.sh --bat_new",
    options=_SET,
    more_entries=True,
)
def set_env(request: Request) -> Answer:
    """Write exports to a file, or print them."""
    from ck_repo.environment.virtual import together
    from ck_repo.store.atomic import write_text

    rows = _named(request)
    lines = together(rows).lines(request.text("shell") or "sh")
    text = "\n".join(lines) + "\n"
    data = {**_data(rows), "bat": text}
    if not request.text("bat_file"):
        return Answer(data, lines)
    path = Path(request.text("bat_file")).expanduser().absolute()
    old = path.read_text(encoding="utf-8") if path.exists() and not request.flag("bat_new") else ""
    write_text(path, old + text)
    printed = [row.name for row in rows] if request.flag("print") else []
    return Answer({**data, "bat_file": str(path)}, [*printed, f"wrote {path}: `. {path}` sets the variables"])


@action(
    ACTIONS,
    "xset",
    f"the same as `ck set env --bat_file={_SHELL_FILE} --bat_new --print`",
    example="ck xset env --tags=model,demo",
    options=_SET,
    more_entries=True,
)
def xset(request: Request) -> Answer:
    """Write exports to CK's usual file."""
    return set_env(replace(request, options={"bat_file": _SHELL_FILE, "bat_new": True, "print": True, **request.options}))


@action(
    ACTIONS,
    "refresh",
    "check installed and registered components again and update their entries; exit status 9 if one cannot be used",
    example="ck refresh env",
    options=[TAGS, without_effect("reset_env", "discard the old state")],
    more_entries=True,
)
def refresh(request: Request) -> Answer:
    """Check every entry again."""
    from ck_repo.install.refresh import refresh as look_again

    return _states(request, look_again, DetectError.code)


@action(
    ACTIONS,
    "check",
    "verify the content of installed and registered components; exit status 10 if something differs",
    example="ck check env",
    usage="ck check env[:UID …] [--tags=…]",
    options=[TAGS],
    more_entries=True,
)
def check(request: Request) -> Answer:
    """Compare all content with its digest, without changing anything."""
    from ck_repo.install.refresh import check as compare

    return _states(request, compare, MismatchError.code)


def _states(request: Request, look: Callable[[Session, Entry], Refreshed], status: int) -> Answer:
    """The state of every selected entry, with hints; `status` if one cannot be used."""
    from ck_repo.store.repositories import LOCAL

    named = bool(request.entry or request.text("tags"))
    found = [entry for entry in all_matching(request, needed=named) if entry.repository == LOCAL]
    rows = [(entry, look(request.session, entry)) for entry in found]
    data = [{**row_of(entry), "name": row.name, "state": row.state, "advice": row.advice} for entry, row in rows]
    table = [(entry.uid, row.name, row.state) for entry, row in rows]
    lines = table_lines(("env", "name", "state"), table) if rows else ["nothing is installed or registered"]
    bad = [row for _, row in rows if not row.fine]
    if bad:
        text = f"{len(bad)} of {len(rows)} cannot be used: {', '.join(row.name for row in bad)}"
        advice = [row.advice for row in bad]
        return Answer({"error": text, "lst": data}, [*lines, "", *advice], status=status)
    return Answer({"lst": data}, lines)

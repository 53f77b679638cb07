"""Write docs/commands.md from the actions themselves: ``python docs/make_commands.py``. A test compares them."""

from __future__ import annotations

import sys
from pathlib import Path

from ck_repo.actions import catalogue
from ck_repo.cli import help as pages

PAGE = Path(__file__).with_name("commands.md")
_INTRODUCTION = """# Commands

`ck <action> <module>[:<entry>] [--key=value] [--flag] [key=value] [@file.json] [@file.yaml] [@@@{json}] [-- rest]`

- `--flag` means `yes`; dots nest (`--env.NAME=value`); `-` and `_` are equivalent in an option's name.
- Entries are named by alias or UID, `module:entry` or `repository:module:entry`; `*` and `?` match.
- `--out=json` prints exactly one JSON object, `{"return": 0, …}` or `{"return": N, "error": …}`, and the exit status is N. Everything
  else goes to stderr.
- Prompts appear only if stdin is a terminal and `--quiet` is not given.
- On a terminal, tables are folded to its width: long cells continue on the next line. Elsewhere each entry is one line.
- The actions on entries (`ls`, `search`, `find`, `load`, `info`, `uid`, `cid`, `cd`, `list_files`, `list_tags`, `add`, `update`, `rm`,
  `cp`, `mv`, `ren`, `zip`, `unzip`) work on every module, including your own.
- [from-ck.md](from-ck.md) explains CK's commands.

Exit statuses: 0 success, 1 bug in ck, 2 invalid command, 3 invalid user file, 4 conflicting options or a taken name, 5 a download
or an archive failed verification, 6 an installation failed, 7 the benchmark failed, 8 storage failure, 9 unexpected file or folder, 10 verification failed, 16 not found, 130 interrupted.
"""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for module in ("", *catalogue.module_names()):
        actions = {row.name: row for row in catalogue.actions_of(module).values()}
        general = {} if not module else catalogue.actions_of("dataset")
        own = [row for name, row in sorted(actions.items()) if general.get(name) is not row]
        title = module or "without a module"
        parts.append(f"## {title}\n\n{catalogue.module_summary(module) if module else 'The command itself.'}\n")
        for row in own:
            heading = f"### ck {row.name} {module}".rstrip()
            parts.append(f"{heading}\n\n```\n" + "\n".join(_without_common(pages.of_action(module, row))) + "\n```\n")
    general = {row.name: row for row in catalogue.actions_of("dataset").values()}
    parts.append("## any module\n\nActions on entries, which work on every module.\n")
    for name, row in sorted(general.items()):
        parts.append(f"### ck {name} MODULE\n\n```\n" + "\n".join(_without_common(pages.of_action("dataset", row))) + "\n```\n")
    return "\n".join(parts)


def _without_common(lines: list[str]) -> list[str]:
    """The help of an action without the options that every action has."""
    return lines[: lines.index("options of every action:")][:-1]


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/commands.md is out of date: run `nox -s pages`")

"""The declared run options as options of actions, and their values in a request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ck_repo.actions.declare import Option
from ck_repo.actions.request import Request
from ck_repo.run.options import RUN_OPTIONS, RunOptions
from ck_repo.run.spellings import from_cmd_key, from_environment

_MINIMUM: dict[str, tuple[float, bool]] = {"integer": (1, False), "number": (0, True)}  # and whether it is exclusive


def declared(*names: str) -> list[Option]:
    """The named run options as options of an action; all without a name."""
    return [declared_option(option.name) for option in RUN_OPTIONS if option.name in names or not names]


def declared_option(name: str, **changes: Any) -> Option:
    """A run option as an option of an action, with changes for it, such as another help text."""
    found = next(option for option in RUN_OPTIONS if option.name == name)
    minimum, above = _MINIMUM.get(found.kind, (None, False))
    option = Option(
        found.option,
        found.help,
        found.kind,
        value=found.value,
        choices=found.choices,
        minimum=minimum,
        above=above,
        parts=found.parts,
    )
    return replace(option, **changes)


def not_of_audits() -> set[str]:
    """The names of the run options that ``ck audit`` sets itself."""
    return {option.option for option in RUN_OPTIONS if not option.audited}


def run_options(request: Request) -> RunOptions:
    """The options of a run; current names take precedence over older ones of CK."""
    values: dict[str, object] = from_environment(request.nested("env"))
    if request.text("cmd_key"):
        values |= from_cmd_key(request.text("cmd_key"))
    for option in RUN_OPTIONS:
        if request.options.get(option.key) is None:
            continue
        if option.kind == "nested":
            values[option.name] = {key: str(value) for key, value in request.nested(option.key).items()}
        else:
            values[option.name] = request.options[option.key]
    return RunOptions.of(values)

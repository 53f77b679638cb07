"""Check options of a command against those that the action declares: unknown options, wrong values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo import progress
from ck_repo.actions.declare import Action, Option
from ck_repo.errors import NotFoundError, UsageError, did_you_mean

COMMON = (
    Option("out", "`json` prints exactly one JSON object on stdout", choices=("con", "json", "none"), value="json"),
    Option("quiet", "no prompts; use the defaults", kind="flag"),
    Option("offline", "do not use the network; report what is missing (also CK_OFFLINE=1)", kind="flag"),
    Option("debug", "show the traceback of an error", kind="flag"),
    Option("help", "show this help", kind="flag"),
)
TRUE, FALSE = {"yes", "true", "on", "1"}, {"no", "false", "off", "0"}


def checked_options(typed: Mapping[str, object], action: Action, command: str) -> dict[str, object]:
    """The options by their current names, with values of the right type."""
    known: dict[str, Option] = {}
    for option in (*COMMON, *action.options):
        for name in (option.name, *option.aliases):
            known[name.replace("-", "_")] = option
    values: dict[str, object] = {}
    for name, value in _apart(typed, known).items():
        row = known.get(name)
        if row is None and action.any_options:
            continue
        if row is None:
            hint = did_you_mean(name, ["--" + option.name for option in (*action.options, *COMMON)])
            raise NotFoundError(f"`ck {command}` has no option --{name}", hint=f"{hint}\nsee `ck {command} --help`")
        values[row.name.replace("-", "_")] = checked = _value(row, value)
        if row.unused and checked is not False:
            progress.say(f"note: --{row.name} has no effect: {row.unused}", always=True)
    return values


def _apart(typed: Mapping[str, object], known: dict[str, Option]) -> dict[str, object]:
    """Move the keys of options that set another option to that one.

    Raises
    ------
    UsageError
        If an option has both a value and keys, but accepts only one of them.
    """
    found: dict[str, object] = {}
    for name, value in typed.items():
        parts = known[name].parts.replace("-", "_") if name in known else ""
        if isinstance(value, dict) and parts and parts != name:
            keys = {key: each for key, each in value.items() if key}
            found |= {name: value[""]} if "" in value else {}
            before = found.get(parts)
            found[parts] = {**(before if isinstance(before, dict) else {}), **keys}
        elif isinstance(value, dict) and not parts and _has_both(value):
            raise UsageError(f"--{name.replace('_', '-')} has a value and keys", hint="omit one of them")
        else:
            before = found.get(name)
            found[name] = {**before, **value} if isinstance(value, dict) and isinstance(before, dict) else value
    return found


def _has_both(value: Mapping[str, object]) -> bool:
    return "" in value or any(isinstance(each, dict) and _has_both(each) for each in value.values())


def _value(option: Option, value: Any) -> Any:
    flag = f"--{option.name}"
    if isinstance(value, dict) != (option.kind == "nested") and option.kind != "json":
        hint = f"use {flag}.KEY=VALUE" if option.kind == "nested" else f"use {flag}={option.value}"
        raise UsageError(f"{flag} does not have that form", hint=hint)
    if option.kind == "flag":
        word = str(value).lower()
        if word not in TRUE | FALSE:
            raise UsageError(f"{flag} is a flag and takes no value {value!r}", hint=f"use {flag} or {flag}=no")
        return word in TRUE
    if option.kind in ("integer", "number"):
        return _number(option, value)
    if option.kind == "json" and isinstance(value, str):
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise UsageError(f"{flag} is not JSON: {error}") from None
    if option.kind == "text" and isinstance(value, list):
        value = ",".join(map(str, value))
    allowed = option.allowed()
    if allowed and str(value) not in allowed:
        same = [word for word in allowed if word.lower() == str(value).lower()]
        if len(same) == 1:  # LoadGen writes Offline and SingleStream; tests are TEST01 and test01
            return same[0]
        raise UsageError(f"{flag}={value} is not one of {', '.join(allowed)}", hint=did_you_mean(str(value), allowed))
    return value


def _number(option: Option, value: Any) -> float | int:
    what = "an integer" if option.kind == "integer" else "a number"
    try:
        if isinstance(value, bool) or (option.kind == "integer" and isinstance(value, float)):
            raise ValueError
        number: float | int = int(value) if option.kind == "integer" else float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"--{option.name}={value} is not {what}") from None
    if not math.isfinite(number):
        raise UsageError(f"--{option.name}={value} is not {what}")
    if option.minimum is not None and (number < option.minimum or (option.above and number == option.minimum)):
        bound = f"more than {option.minimum:g}" if option.above else f"at least {option.minimum:g}"
        raise UsageError(f"--{option.name}={value}: it has to be {bound}")
    return number


def refuse_more_entries(action: Action, extra: Sequence[object], command: str) -> None:
    """Report unused words as an error."""
    if extra and not action.more_entries:
        words = " ".join(getattr(each, "text", str(each)) for each in extra)
        raise UsageError(
            f"`ck {command}` does not expect {words!r}",
            hint="write an option and its value as one word: --key=value; see `ck " + command + " --help`",
        )

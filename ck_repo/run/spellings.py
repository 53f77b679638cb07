"""CK's older spellings of run options: ``--cmd_key``, ``--env.NAME=``, EXTRA_OPS."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from ck_repo import progress
from ck_repo.errors import NotFoundError, UsageError, did_you_mean
from ck_repo.run.foreign_variables import VARIABLES_WITHOUT_EFFECT
from ck_repo.run.option import RunOption
from ck_repo.run.options import MODES, RUN_OPTIONS, SCENARIOS

_VARIABLES = {name: option for option in RUN_OPTIONS if option.ck for name in option.ck.names.split()}
_EXTRA_OPS = {option.extra_ops: option for option in RUN_OPTIONS if option.extra_ops}


def from_cmd_key(cmd_key: str) -> dict[str, object]:
    """CK's ``--cmd_key=accuracy-offline``."""
    mode, _, scenario = cmd_key.partition("-")
    known = [f"{mode}-{scenario}" for mode in MODES[:2] for scenario in SCENARIOS]
    if cmd_key not in known:
        raise NotFoundError(f"there is no cmd_key {cmd_key!r}", hint=did_you_mean(cmd_key, known))
    return {"mode": mode, "scenario": scenario}


def from_environment(env: Mapping[str, Any]) -> dict[str, object]:
    """CK's ``--env.NAME=value``.

    Variables of other CK programs without a meaning here are reported and ignored; unknown ones are an error.

    >>> from_environment({"CK_BATCH_COUNT": "5", "CK_BATCH_SIZE": "2"})
    {'batch_size': 2, 'count': 10}
    """
    values: dict[str, object] = {}
    for name, value in env.items():
        if name in _VARIABLES:
            values |= _value(_VARIABLES[name], name, value)
        elif name in _OTHERS:
            values |= _OTHERS[name](name, str(value))
        elif name in VARIABLES_WITHOUT_EFFECT:
            progress.say(f"note: --env.{name} has no effect: {VARIABLES_WITHOUT_EFFECT[name]}")
        else:
            raise NotFoundError(
                f"--env.{name} is not supported",
                hint=_instead_of(name),
            )
    batches = values.pop("batches", None)
    if batches and "count" not in values:  # images as batches, each with one image by default
        values["count"] = int(str(batches)) * int(str(values.get("batch_size", 1)))
    return values


def _instead_of(name: str) -> str:
    """What to use instead of a variable that is not supported."""
    if near := get_close_matches(name, [*VARIABLES, *VARIABLES_WITHOUT_EFFECT], cutoff=0.75):
        return f"did you mean {' or '.join(near)}?"
    if name.startswith("CK_ENV_"):
        return (
            "CK_ENV_… variables come from installed components (`ck show env`); "
            "--model=, --dataset=, --backend= and --dep_add_tags.KEY= select the components of a run"
        )
    return "`ck run program --help` lists the options of a run"


def _value(option: RunOption, name: str, value: Any) -> dict[str, object]:
    """The value of a variable's option; an empty text is ignored."""
    spelling = option.ck
    assert spelling is not None
    if option.kind in ("integer", "number"):
        return {option.name: _number(f"--env.{name}", value, option)}
    word = str(value).lower() if spelling.any_case else str(value)
    words = spelling.known()
    if word in words:
        return {option.name: words[word]}
    if option.choices:
        raise UsageError(f"--env.{name}={word} is not {spelling.what}", hint=did_you_mean(word, words))
    return {option.name: str(value)} if str(value) else {}


def _batches(name: str, value: str) -> dict[str, object]:
    return {"batches": _positive(f"--env.{name}", value, int)}


def _visible_devices(name: str, value: str) -> dict[str, object]:
    return {"device": "cpu"} if value in ("", "-1") else {"visible_devices": value}


def _metric(name: str, value: str) -> dict[str, object]:
    if value.upper() != "COCO":
        progress.say(f"note: --env.{name}={value} has no effect: accuracy is COCO's mAP")
    return {}


def from_extra_ops(text: str, name: str = "EXTRA_OPS") -> dict[str, object]:
    """The reference harness's options in ``EXTRA_OPS``, or in another variable.

    >>> from_extra_ops("--time 60 --qps 200 --max-latency 0.1")
    {'seconds': 60.0, 'target_qps': 200.0, 'target_latency': 100.0}

    Parameters
    ----------
    name
        The name of the variable, for errors.

    Raises
    ------
    NotFoundError
        If an option is not supported.
    UsageError
        If a quote is not closed, or a value is not a number.
    """
    values: dict[str, object] = {}
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    words = iter(word for part in parts for word in part.split("=", 1))
    for word in words:
        if word not in _EXTRA_OPS:
            raise NotFoundError(f"{name}: {word} is not supported", hint=did_you_mean(word, _EXTRA_OPS))
        option = _EXTRA_OPS[word]
        values[option.name] = _number(f"{name} {word}", next(words, ""), option) * option.extra_ops_factor
    return values


def _number(name: str, value: Any, option: RunOption) -> Any:
    return _positive(name, value, int if option.kind == "integer" else float)


def _positive(name: str, value: Any, kind: type) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name}={value} is not {'an integer' if kind is int else 'a number'}") from None
    if not 0 < number < float("inf"):
        raise UsageError(f"{name}={value} has to be more than 0")
    return number


# variables with special handling
_OTHERS: dict[str, Callable[[str, str], dict[str, object]]] = {
    **dict.fromkeys(
        ("EXTRA_OPS", "CK_LOADGEN_EXTRA_PARAMS", "CK_LOADGEN_OPTS"), lambda name, value: from_extra_ops(value, name)
    ),
    "CK_BATCH_COUNT": _batches,
    "CUDA_VISIBLE_DEVICES": _visible_devices,
    "CK_METRIC_TYPE": _metric,
}
VARIABLES = (*_VARIABLES, *_OTHERS)

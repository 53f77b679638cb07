"""The types of what an experiment's meta holds, checked once before a list, a table or a comparison reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ck_repo.errors import ConfigError

_Check = Callable[[Any], bool]


def _object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _objects(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, Mapping) for each in value.values())


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_number(each) for each in value.values())


def _accuracy(value: Any) -> bool:
    """An object whose figures of COCO are numbers."""
    return isinstance(value, Mapping) and all(
        each is None or _number(each) for key, each in value.items() if str(key).startswith(("mAP", "AP", "AR"))
    )


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, str) for each in value)


def _tags(value: Any) -> bool:
    return isinstance(value, str) or _texts(value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_WANTED: dict[_Check, str] = {
    _object: "an object", _objects: "an object of objects", _number: "a finite number", _numbers: "an object of finite numbers",
    _text: "a text", _texts: "a list of texts",
    _accuracy: "an object whose figures are finite numbers", _tags: "a list of tags", _flag: "true or false",
}  # fmt: skip
# of each key that is there, and is not null, the type; a key is looked for only where the one before it is an object
_TYPES: dict[str, _Check] = {
    "tags": _tags, "recorded": _text, "remarks": _texts,
    "results": _object, "results.images": _number, "results.remarks": _texts,
    "results.accuracy": _accuracy, "results.performance": _object,
    "results.accuracy.AP50": _number, "results.accuracy.AP75": _number, "results.accuracy.detections": _number,
    "results.performance.latency_ms": _numbers, "results.performance.duration_s": _number,
    "results.performance.queries": _number,
    "results.performance.reasons": _texts, "results.performance.samples_per_second": _number,
    "results.performance.queries_per_second": _number,
    "results.performance.scheduled_queries_per_second": _number, "results.performance.samples_per_query": _number,
    "published": _object, "published.mAP": _number, "published.value": _number, "published.p99_ms": _number,
    "model": _object, "model.model": _object, "model.component": _object,
    "spec": _object, "spec.model": _object, "spec.model.side": _number,
    "options": _object, "settings": _object, "system": _object, "compliance": _object,
    "platform": _object, "platform.memory": _number, "venv": _object, "venv.packages": _object, "repositories": _objects,
    "parent": _object, "verdict": _object, "verified": _object,
}  # fmt: skip
# what has to be there as well, where the object is there and not empty
_NEEDED: dict[str, dict[str, _Check]] = {
    "results.accuracy": {"mAP": _number},
    "results.performance": {"valid": _flag},
    "published": {"model": _text, "scenario": _text, "submitter": _text, "division": _text, "system": _text},
    "verdict": {"reproduced": _flag, "why": _text},
    "verified": {"passed": _flag},
}


def check_experiment(meta: Mapping[str, Any], source: object) -> None:
    """Refuse a meta whose values have the wrong types.

    Parameters
    ----------
    source
        Its file, for the message.

    Raises
    ------
    ConfigError
        Naming the first key that is wrong.
    """
    for path, check in _TYPES.items():
        value = _value(meta, path)
        if value is None:
            continue
        _hold(check, value, path, source)
        for key, needed in _NEEDED.get(path, {}).items() if value else ():
            _hold(needed, value.get(key), f"{path}.{key}", source)


def _value(meta: Mapping[str, Any], path: str) -> Any:
    value: Any = meta
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _hold(check: _Check, value: Any, path: str, source: object) -> None:
    if not check(value):
        shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}…"
        raise ConfigError(
            f"{source}: {path} is {shown}, not {_WANTED[check]}", hint="restore the file, or remove the experiment"
        )

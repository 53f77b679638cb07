"""Bounds of the numbers in spec.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from object_detection.errors import HarnessError

_YEAR_MS = 366 * 24 * 3600 * 1000
_LOADGEN = {
    "performance_sample_count": (1, 10**9),
    "min_duration_ms": (0, _YEAR_MS),  # Server's minimum count at a low rate may take longer than the maximum of --time
    "min_query_count": (0, 10**9),
    "required_query_count": (0, 10**9),
    "samples_per_query": (1, 10**6),
    "max_async_queries": (1, 10**6),
}
_RATES = {"target_qps": 1e9, "target_latency_ms": 1e9}
_SEEDS = ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")


def check_bounds(content: Mapping[str, Any], options: Mapping[str, tuple[int, int]]) -> None:
    """Check the numbers of a spec.

    Parameters
    ----------
    options
        Minimum and maximum of the run options that are integers, by key.

    Raises
    ------
    HarnessError
        If a number is out of bounds, or not a number; with its key.
    """
    for key, (minimum, maximum) in options.items():
        if content.get(key) is not None:
            _integer(key, content[key], minimum, maximum)
    loadgen = content["loadgen"]
    for key, (minimum, maximum) in _LOADGEN.items():
        if key in loadgen:
            _integer(f"loadgen.{key}", loadgen[key], minimum, maximum)
    for key in _SEEDS:
        _integer(f"loadgen.{key}", loadgen[key], 0, 2**64 - 1)
    for key, largest in _RATES.items():
        if loadgen[key] is not None and not (_is_number(loadgen[key]) and 0 < loadgen[key] <= largest):
            raise HarnessError(f"spec.json: loadgen.{key} is {loadgen[key]!r}, not above 0 and at most {largest:g}")
    if not (_is_number(loadgen["percentile"]) and 0 < loadgen["percentile"] < 1):
        raise HarnessError(f"spec.json: loadgen.percentile is {loadgen['percentile']!r}, not between 0 and 1")


def _integer(key: str, value: object, minimum: int, maximum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise HarnessError(f"spec.json: {key} is {value!r}, not an integer from {minimum} to {maximum}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

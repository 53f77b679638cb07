"""The LoadGen that is imported: one of today, or that of round v1.0, whose interface is another.

Today's takes two callbacks for a system under test, and its MultiStream issues queries back to back. That of v1.0 takes a
third, for latencies, and its MultiStream issues a query each interval and skips those that the system is late for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import mlperf_loadgen as lg

OF_V1_0 = hasattr(lg.TestSettings, "multi_stream_target_qps")
_NAMES = ("mlcommons-loadgen", "mlperf-loadgen")  # as it is published today, and as its source called itself then


def version() -> str:
    """Version of the LoadGen that is imported: another may lie in the venv, behind it on the search path."""
    assert lg.__file__ is not None
    rows = distributions(path=[str(Path(lg.__file__).parent)])
    found = {str(row.metadata["Name"]).lower().replace("_", "-"): row.version for row in rows}
    name = next((name for name in (reversed(_NAMES) if OF_V1_0 else _NAMES) if name in found), "")
    number = found.get(name, "unknown")
    return f"r1.0 ({number}, from source)" if OF_V1_0 else number


def construct_sut(issue: Callable[[list[lg.QuerySample]], None], flush: Callable[[], None]) -> Any:
    """A system under test for LoadGen."""
    return lg.ConstructSUT(issue, flush, _no_latencies) if OF_V1_0 else lg.ConstructSUT(issue, flush)


def _no_latencies(latencies_ns: list[int]) -> None:
    """Takes what the logs tell anyway."""

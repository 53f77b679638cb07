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

from object_detection.errors import HarnessError
from object_detection.spec import Built

OF_V1_0 = hasattr(lg.TestSettings, "multi_stream_target_qps")
_NAMES = ("mlperf-loadgen", "mlcommons-loadgen")  # as its source called itself in v1.0, and as it is published today


def version(built: Built | None) -> str:
    """Version of the LoadGen that is imported.

    Parameters
    ----------
    built
        The one that is meant, if it is not that of the venv.

    Raises
    ------
    HarnessError
        If another one is imported than is meant.
    """
    assert lg.__file__ is not None
    folder = Path(lg.__file__).resolve().parent
    if built:
        if folder != built.folder.resolve():
            raise HarnessError(
                f"LoadGen {built.version} is to be imported from {built.folder}, and the one of {folder} was",
                "it is not there, or not for this Python: install it again",
            )
        return f"{built.version} (from source)"
    rows = {str(row.metadata["Name"]).lower().replace("_", "-"): row.version for row in distributions(path=[str(folder)])}
    return next((rows[name] for name in (_NAMES if OF_V1_0 else _NAMES[::-1]) if name in rows), "unknown")


def construct_sut(issue: Callable[[list[lg.QuerySample]], None], flush: Callable[[], None]) -> Any:
    """A system under test for LoadGen."""
    return lg.ConstructSUT(issue, flush, _no_latencies) if OF_V1_0 else lg.ConstructSUT(issue, flush)


def _no_latencies(latencies_ns: list[int]) -> None:
    """Takes what the logs tell anyway."""

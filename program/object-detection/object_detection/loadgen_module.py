"""Import LoadGen: a current version, or that of round v1.0, which has another interface.

Current versions take two callbacks for a system under test, and their MultiStream issues queries back to back. That of v1.0
takes a third one, for latencies, and its MultiStream issues a query in each interval and skips those that the system is late
for.
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
_NAMES = ("mlperf-loadgen", "mlcommons-loadgen")  # its name in the source of v1.0, and in current versions


def version(built: Built | None) -> str:
    """Version of the imported LoadGen.

    Parameters
    ----------
    built
        The expected one, if it is not that of the venv.

    Raises
    ------
    HarnessError
        If another one is imported.
    """
    assert lg.__file__ is not None
    folder = Path(lg.__file__).resolve().parent
    if built:
        if folder != built.folder.resolve():
            raise HarnessError(
                f"LoadGen {built.version} should be imported from {built.folder}, but was imported from {folder}",
                "it is missing, or for another Python: install it again",
            )
        return f"{built.version} (from source)"
    rows = {str(row.metadata["Name"]).lower().replace("_", "-"): row.version for row in distributions(path=[str(folder)])}
    return next((rows[name] for name in (_NAMES if OF_V1_0 else _NAMES[::-1]) if name in rows), "unknown")


def construct_sut(issue: Callable[[list[lg.QuerySample]], None], flush: Callable[[], None]) -> Any:
    """A system under test for LoadGen, by the interface of the installed version.

    Parameters
    ----------
    issue
        Called by LoadGen with the samples of a query.
    flush
        Called after the last query.
    """
    return lg.ConstructSUT(issue, flush, _no_latencies) if OF_V1_0 else lg.ConstructSUT(issue, flush)


def _no_latencies(latencies_ns: list[int]) -> None:
    """Ignores the latencies, which are also in the logs."""

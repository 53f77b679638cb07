"""The time of every sample of a performance run: LoadGen's trace, reduced to five columns.

LoadGen writes several events for each sample, and invalid JSON. Only the samples' own events are kept, as columns in
``queries.json``; the engine's reader is `ck_repo/experiments/queries.py`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from object_detection.contract.logs import TRACE, parse_trace

QUERIES = "queries.json"
_MAXIMUM = 200_000  # samples: about 8 MB of columns, and 150 MB of LoadGen's events while the run lasts
FASTEST = 1000.0  # samples/s; above, the events that LoadGen writes take time from the run
_ORIGIN = re.compile(rb'"otherData":\{\s*"ts":([\d.]+)')


def is_traced(choice: str, official: bool, samples: float, rate: float) -> bool:
    """Whether LoadGen should write its trace.

    Parameters
    ----------
    choice
        ``yes``, ``no``, or ``auto``: for runs that are not official, and not so fast or long that the trace would disturb the
        run or fill the disk. Compliance tests are compared with runs that are traced in the same way.
    samples
        Approximate number that the run will issue.
    rate
        The measured rate of the system, samples/s.
    """
    if choice != "auto":
        return choice == "yes"
    return not official and samples <= _MAXIMUM and rate <= FASTEST


def write_queries(folder: Path, *, keep: bool) -> None:
    """Write ``queries.json`` from the trace in a folder; the trace is then emptied, as without tracing.

    Parameters
    ----------
    keep
        Whether to keep the trace.
    """
    trace = folder / TRACE
    if not trace.is_file() or not trace.stat().st_size:
        return
    began = None
    with open(trace, "rb") as file:
        rows = sorted(sample for line in file for sample in parse_trace(line))
        file.seek(max(0, trace.stat().st_size - 4096))
        if found := _ORIGIN.search(file.read()):
            began = float(found[1]) / 1e6
    columns: dict[str, object] = {
        "version": 1,
        "began": began,
        "query": [row.query for row in rows],
        "sample": [row.sample for row in rows],
        "start_us": [round(row.due_us, 3) for row in rows],
        "issue_ns": [row.issued_ns for row in rows],
        "latency_ns": [row.completed_ns for row in rows],
    }
    (folder / QUERIES).write_text(json.dumps(columns, separators=(",", ":")) + "\n", encoding="utf-8")
    if not keep:
        trace.write_bytes(b"")

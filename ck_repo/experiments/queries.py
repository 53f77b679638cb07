"""The times of all queries of a performance run: from queries.json, which the harness writes, or from LoadGen's trace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo.contract.logs import TRACE, parse_trace
from ck_repo.errors import ConfigError
from ck_repo.store.plain_file import MISSING, flaw, opened

FOLDER, QUERIES = "performance", "queries.json"
_MAXIMUM = 1 << 30  # bytes
_LARGEST = 1 << 62  # ns, 146 years


@dataclass(frozen=True)
class Queries:
    """The samples of a performance run, in the order in which LoadGen issued them.

    Attributes
    ----------
    query
        Number of the query of a sample.
    sample
        Index of the sample in the data set.
    start_ns
        When the query was due, from the start of the test. In Offline it is the same for all samples.
    issue_ns
        Delay with which LoadGen issued it.
    latency_ns
        From the due time to the answer, as LoadGen measures it.
    began
        Unix time of the start in s; None if unknown.
    """

    query: Sequence[int]
    sample: Sequence[int]
    start_ns: Sequence[int]
    issue_ns: Sequence[int]
    latency_ns: Sequence[int]
    began: float | None = None

    def __len__(self) -> int:
        return len(self.query)

    def per_query(self) -> Queries:
        """One entry for each query, with the latency of its last answer, as for LoadGen's percentiles in MultiStream."""
        last: dict[int, int] = {}
        for row, query in enumerate(self.query):
            if query not in last or self.latency_ns[row] > self.latency_ns[last[query]]:
                last[query] = row
        return self._chosen(list(last.values()))

    def _chosen(self, rows: list[int]) -> Queries:
        columns = (self.query, self.sample, self.start_ns, self.issue_ns, self.latency_ns)
        query, sample, start, issue, latency = ([column[row] for row in rows] for column in columns)
        return Queries(query, sample, start, issue, latency, self.began)


def percentile(ordered: Sequence[int], share: float) -> int:
    """A percentile as LoadGen computes it: the element at ``floor(n * share)`` of the sorted latencies.

    >>> percentile([10, 20, 30, 40], 0.5)
    30

    Parameters
    ----------
    ordered
        Latencies in ascending order; at least one.
    share
        0 to 1.
    """
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def read_queries(folder: Path) -> Queries | None:
    """The queries of an experiment's performance run; None if their times were not recorded.

    Parameters
    ----------
    folder
        The experiment's folder, which may be untrusted.
    """
    for name, reader in ((QUERIES, _of_columns), (TRACE, _of_trace)):
        path = f"{FOLDER}/{name}"
        if flaw(folder, path) == MISSING:
            continue
        with opened(folder, path, maximum=_MAXIMUM) as file:
            content = file.read()
        found = reader(content, folder / path) if content else None
        if found is not None and len(found):
            return found
    return None


def _of_columns(content: bytes, path: Path) -> Queries:
    try:
        data: Any = json.loads(content)
        starts = [round(value * 1e3) for value in data["start_us"]]
        columns = [[int(value) for value in data[name]] for name in ("query", "sample", "issue_ns", "latency_ns")]
        if any(abs(value) > _LARGEST for column in (starts, *columns) for value in column):
            raise ValueError("a time out of bounds")
        began = data.get("began")
        if len({len(starts), *map(len, columns)}) != 1:
            raise ValueError("columns of different lengths")
        query, sample, issue, latency = columns
        if began is not None and not 0 <= began < _LARGEST:
            raise ValueError("a time out of bounds")
        return Queries(query, sample, starts, issue, latency, None if began is None else float(began))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not a table of queries: {type(error).__name__} {error}", hint="remove the file, or run again"
        ) from None


def _of_trace(content: bytes, _path: Path) -> Queries | None:
    rows = sorted(parse_trace(content))
    if not rows:
        return None
    return Queries(
        query=[row.query for row in rows],
        sample=[row.sample for row in rows],
        start_ns=[round(row.due_us * 1e3) for row in rows],
        issue_ns=[row.issued_ns for row in rows],
        latency_ns=[row.completed_ns for row in rows],
    )

"""The last lines of `ck show experiment`: the distribution of latency, and the classes with the best and worst results."""

from __future__ import annotations

import json
from pathlib import Path

from ck_repo.errors import CKError
from ck_repo.experiments.plots import histogram, sparkline
from ck_repo.experiments.queries import Queries, read_queries
from ck_repo.store.plain_file import flaw, read_plain

CLASSES = "accuracy/classes.json"
_BINS = 48
_EACH = 5  # number of best and of worst classes
_SIGNS = 16  # maximum characters of a class name


def glance(folder: Path) -> list[tuple[str, str]]:
    """Lines for the recorded data: two for latency, two for classes; fewer if data is missing."""
    return [*_latency(folder), *_classes(folder)]


def _latency(folder: Path) -> list[tuple[str, str]]:
    try:
        found = read_queries(folder)
    except CKError:
        return []
    if found is None:
        return []
    values = [value / 1e6 for value in found.latency_ns]
    spread = f"{min(values):.4g} ms {sparkline(histogram(values, _BINS))} {max(values):.4g} ms"
    return [("latency", spread), ("over time", _over_time(found))]


def _over_time(found: Queries) -> str:
    """The number of answers in equal parts of the run."""
    ends = [(start + latency) / 1e9 for start, latency in zip(found.start_ns, found.latency_ns, strict=True)]
    seconds = max(ends) - min(found.start_ns) / 1e9
    return f"{sparkline(histogram(ends, _BINS))} answers in each {seconds / _BINS:.2g} s"


def _classes(folder: Path) -> list[tuple[str, str]]:
    if flaw(folder, CLASSES):
        return []
    try:
        rows = [(float(row["AP"]), str(row["name"])) for row in json.loads(read_plain(folder, CLASSES))]
    except (ValueError, KeyError, TypeError, OverflowError, CKError, RecursionError):
        return []
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: -row[0])
    best = ordered[:_EACH]
    worst = [row for row in ordered[::-1][:_EACH] if row not in best]
    lines = [("best", _listed(best))]
    return [*lines, ("worst", _listed(worst))] if worst else lines


def _listed(rows: list[tuple[float, str]]) -> str:
    return ", ".join(f"{name[:_SIGNS]} {value:.3f}" for value, name in rows)

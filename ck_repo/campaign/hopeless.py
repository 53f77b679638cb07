"""Select the cells that get no further repetitions because they cannot be the best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import groupby

from ck_repo.experiments.figures import Figures


def relative_speed(found: Figures, best: Figures) -> float | None:
    """The speed of one result relative to another.

    Returns
    -------
    float or None
        Below 1 if `found` is slower; None if one has no figure, or unit or scenario differ.
    """
    if not found.value or not best.value or found.unit != best.unit or found.scenario != best.scenario:
        return None
    return best.value / found.value if found.lower_is_better else found.value / best.value


def hopeless(first: Mapping[str, Figures], share: float) -> dict[str, str]:
    """The cells that are too slow to be repeated, with the reason.

    A cell is hopeless if its first result is slower than `share` of a valid one of the same scenario that is at least as
    accurate.

    Parameters
    ----------
    first
        The first result of each cell, by its key; all of one machine.
    share
        0–1; 0 drops none.
    """
    groups: dict[tuple[str, str], list[tuple[str, Figures]]] = defaultdict(list)
    for key, row in first.items():
        groups[row.scenario, row.unit].append((key, row))
    found: dict[str, str] = {}
    for rows in groups.values():
        best: Figures | None = None  # the fastest of those at least as accurate
        for _, same in groupby(sorted(rows, key=lambda row: -_accuracy(row[1])), key=lambda row: _accuracy(row[1])):
            level = list(same)
            for _, row in level:
                if row.valid and row.value and (best is None or (relative_speed(row, best) or 0.0) > 1):
                    best = row
            for key, row in level:
                speed = relative_speed(row, best) if best else None
                if speed is not None and speed < share:
                    found[key] = f"{speed:.2f} of the speed of one that is at least as accurate"
    return found


def _accuracy(found: Figures) -> float:
    """mAP; if it was not measured, all are treated as equal."""
    return found.mAP or 0.0

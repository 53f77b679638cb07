"""The table of a campaign."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo.campaign.results import Row


def best_first(rows: Sequence[Row]) -> list[Row]:
    """Results by scenario and machine, the fastest first, those without a value last."""

    def place(row: Row) -> tuple[Any, ...]:
        value = row.value if row.value is not None else 0.0
        return (row.value is None, row.scenario, row.unit, row.machine, value if row.lower_is_better else -value)

    return sorted(rows, key=place)


def table(rows: Sequence[Row], values: Sequence[str]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Header and cells of the table.

    Parameters
    ----------
    values
        Names of the axes: the first columns.
    """
    machines = len({row.machine for row in rows if row.machine}) > 1
    header = [*values, *(["machine"] if machines else []), "runs", "performance", "range", "p99, ms", "mAP", "front", ""]
    return header, [
        (
            *(_text(row.cell.values.get(name)) for name in values),
            *([row.machine or "-"] if machines else []),
            f"{len(row.experiments)}" + (f" of {len(row.experiments) + row.missing}" if row.missing > 0 else ""),
            figure_text(row),
            "-" if row.low is None or row.low == row.high else f"{row.low:.5g} – {row.high:.5g}",
            "-" if row.latency_ms is None else f"{row.latency_ms:.3f}",
            "-" if row.mAP is None else f"{row.mAP:.4f}",
            "*" if row.on_front else "",
            _remark(row),
        )
        for row in rows
    ]


def _remark(row: Row) -> str:
    """Why there are no further runs, and how many of them were disturbed."""
    disturbed = f"{row.disturbed} on a busy, hot or throttled machine" if row.disturbed else ""
    return "; ".join(filter(None, (disturbed, row.why)))


def by_machine(rows: Sequence[Row]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The header and rows of a table with a line for each cell and a column for each machine.

    A figure is followed by its speed relative to the fastest machine.
    """
    machines = sorted({row.machine for row in rows if row.machine})
    cells: dict[str, dict[str, Row]] = defaultdict(dict)
    names: dict[str, str] = {}
    for row in rows:
        if row.value is not None:
            cells[row.cell.key][row.machine] = row
            names[row.cell.key] = str(row.cell)
    return ["cell", *machines], [
        (names[key], *(_relative(found.get(name), found) for name in machines)) for key, found in cells.items()
    ]


def _relative(row: Row | None, found: Mapping[str, Row]) -> str:
    if row is None or not row.value:
        return "-"
    values = [other.value for other in found.values() if other.value]
    share = min(values) / row.value if row.lower_is_better else row.value / max(values)
    return f"{row.value:.5g} {row.unit} ({share:.2f})"


def figure_text(row: Row) -> str:
    """The median with its unit."""
    if row.value is None:
        return "-"
    return f"{row.value:.5g} {row.unit}{'' if row.valid else ' (INVALID)'}"


def _text(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)

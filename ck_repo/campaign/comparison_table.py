"""The tables of a comparison of campaigns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from ck_repo.campaign.comparison import CELLS, EXPERIMENT, FASTER, MACHINES, SLOWER, UNCLEAR, UNKNOWN, Comparison, Pair
from ck_repo.campaign.results_table import figure_text

SPARE = ("mAP", "95 % interval")  # columns that a narrow table drops, in this order


def heading(found: Comparison) -> str:
    """What is compared with what."""
    place = f" on {found.machine}" if found.machine else ""
    if found.kind == CELLS:
        return f"cells{place}, relative to {found.first} ({figure_text(found.pairs[0].first)}):"
    return f"{found.other}, relative to {found.first}{',' if place else ''}{place}:"


def settings_table(found: Comparison, *, every: bool) -> list[tuple[str, str, str]]:
    """The settings that differ: name, and the values of both sides.

    Parameters
    ----------
    every
        Whether to list equal settings, too.
    """
    return [(row.name, row.first or "-", row.other or "-") for row in found.settings if every or not row.same]


def pairs_table(found: Comparison) -> tuple[list[str], list[tuple[str, ...]]]:
    """Header and lines: a line for each cell."""
    both = found.kind != CELLS
    columns = [found.first, found.other] if both else ["performance"]
    return ["cell", *columns, "speed", "95 % interval", "", "mAP"], [
        (
            str(pair.cell),
            *([figure_text(pair.first)] if both else []),
            figure_text(pair.other),
            "-" if pair.speed is None else f"{pair.speed:.3f}",
            "-" if pair.interval is None else f"{pair.interval[0]:.3f} – {pair.interval[1]:.3f}",
            f"not compared: {pair.why}" if pair.why else pair.outcome,
            _accuracy(pair),
        )
        for pair in found.pairs
    ]


def without_pairs(found: Comparison) -> str:
    """Why nothing is compared."""
    if found.kind == MACHINES:
        return "no cell was run on both machines: `ck sweep --each=machine` runs every cell on each"
    return "no cell of the two campaigns has the same options"


def summary(found: Comparison) -> str:
    """The speed over all cells, and how many are faster and slower.

    Empty if all cells are compared with one, or none can be compared.
    """
    speeds = found.speeds
    if found.kind in (CELLS, EXPERIMENT) or not speeds:
        return ""
    counted = [f"{count} {outcome}" for outcome in (FASTER, SLOWER) if (count := found.count(outcome))]
    counted += [f"{count} without a clear difference"] if (count := found.count(UNCLEAR)) else []
    counted += [f"{count} without an interval"] if (count := found.count(UNKNOWN)) else []
    cells = "1 cell" if len(speeds) == 1 else f"{len(speeds)} cells"
    spread = f", from {min(speeds):.3f} to {max(speeds):.3f}" if len(speeds) > 1 else ""
    return f"{cells}: {statistics.geometric_mean(speeds):.3f} times the speed{spread} ({', '.join(counted)})"


def remarks(found: Sequence[Comparison]) -> list[str]:
    """How to read the tables, and how to get what they lack."""
    pairs = [pair for each in found for pair in each.pairs if pair.speed is not None]
    lines = ["speed: above 1 is faster"] if pairs else []
    if any(pair.interval for pair in pairs):
        lines[-1] += "; `faster` and `slower` if the whole 95 % interval is on that side of 1"
    if any(pair.interval is None for pair in pairs):
        lines.append("an interval needs two or more runs of a cell on both sides: `ck sweep --repetitions=3`")
    compared = {id(row): row for pair in pairs for row in (pair.first, pair.other)}
    if disturbed := sum(row.disturbed for row in compared.values()):
        lines.append(f"{disturbed} runs were made on a busy, hot or throttled machine: `ck show campaign:NAME` lists them")
    return lines


def _accuracy(pair: Pair) -> str:
    one, two = ("-" if row.mAP is None else f"{row.mAP:.4f}" for row in (pair.first, pair.other))
    return one if one == two else f"{one} → {two}"

"""A comparison of results of campaigns: pairs of results, their speeds with intervals, and the settings that differ."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.results import Row
from ck_repo.experiments.interval import ratio_interval

MACHINES, CELLS, CAMPAIGNS, EXPERIMENT = "machines", "cells", "campaigns", "experiment"
FASTER, SLOWER, UNCLEAR, UNKNOWN = "faster", "slower", "no clear difference", ""


@dataclass(frozen=True)
class Side:
    """What is compared: a campaign, or an experiment, which is compared with every cell of the other side."""

    name: str
    rows: tuple[Row, ...]
    single: bool = False

    @property
    def machines(self) -> list[str]:
        """The machines that have results, by name."""
        return sorted({row.machine for row in self.rows if row.value is not None})


@dataclass(frozen=True)
class Pair:
    """A result and the one that it is compared with."""

    cell: Cell
    first: Row
    other: Row

    @property
    def comparable(self) -> bool:
        """Whether both have a figure of the same kind."""
        one, two = self.first, self.other
        return bool(one.measured and two.measured) and (one.scenario, one.unit) == (two.scenario, two.unit)

    @property
    def speed(self) -> float | None:
        """Speed relative to the first: the ratio of geometric means, above 1 if faster."""
        if not self.comparable or not all((*self.first.measured, *self.other.measured)):
            return None
        one, two = self._ordered
        return statistics.geometric_mean(two) / statistics.geometric_mean(one)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval of `speed`; None unless both have several runs."""
        if self.speed is None:
            return None
        one, two = self._ordered
        return ratio_interval(two, one)

    @property
    def _ordered(self) -> tuple[Sequence[float], Sequence[float]]:
        """The figures in the order of numerator and denominator of a speed: where lower is better, the other way round."""
        rows = (self.first.measured, self.other.measured)
        return rows[::-1] if self.first.lower_is_better else rows

    @property
    def outcome(self) -> str:
        """``faster`` or ``slower`` if the whole interval is on that side of 1."""
        if (interval := self.interval) is None:
            return UNKNOWN
        return FASTER if interval[0] > 1 else SLOWER if interval[1] < 1 else UNCLEAR

    @property
    def why(self) -> str:
        """Why there is no speed; empty if there is one."""
        if self.speed is not None:
            return ""
        for row in (self.first, self.other):
            if not row.measured:
                return row.why or "no performance was measured"
        return "different scenarios" if not self.comparable else "a figure is 0"

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return {
            "cell": self.cell.key,
            "values": dict(self.cell.values),
            "first": self.first.as_data(),
            "other": self.other.as_data(),
            "speed": self.speed,
            "interval": self.interval,
            "outcome": self.outcome,
            "why": self.why,
        }


@dataclass(frozen=True)
class Difference:
    """A setting with its values on both sides; several values are separated by commas."""

    name: str
    first: str
    other: str

    @property
    def same(self) -> bool:
        """Whether both sides have the same values."""
        return self.first == self.other


@dataclass(frozen=True)
class Comparison:
    """Results compared with other results.

    Attributes
    ----------
    kind
        ``machines``, ``cells``, ``campaigns``, or ``experiment`` if one side is an experiment.
    first, other
        Names of the sides; for cells, the cell that the others are compared with, and none.
    machine
        The machine of both sides; empty if they are on different ones.
    settings
        What the runs of the sides had: hardware, versions and options.
    pairs
        The largest clear differences first, those that cannot be compared last.
    alone
        Numbers of results of the first side and of the other one that have no counterpart.
    """

    kind: str
    first: str
    other: str
    settings: tuple[Difference, ...]
    pairs: tuple[Pair, ...]
    alone: tuple[int, int] = (0, 0)
    machine: str = ""

    @property
    def speeds(self) -> list[float]:
        """The speeds of the pairs that can be compared."""
        return [pair.speed for pair in self.pairs if pair.speed is not None]

    def count(self, outcome: str) -> int:
        """The number of pairs with this outcome."""
        return sum(pair.speed is not None and pair.outcome == outcome for pair in self.pairs)

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return {
            "kind": self.kind,
            "first": self.first,
            "other": self.other,
            "machine": self.machine,
            "settings": {row.name: [row.first, row.other] for row in self.settings},
            "cells": [pair.as_data() for pair in self.pairs],
            "speed": statistics.geometric_mean(self.speeds) if self.speeds else None,
            "alone": list(self.alone),
        }

"""The spread of repeated runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ck_repo.experiments.figures import figures
from ck_repo.experiments.meta import ExperimentMeta


@dataclass(frozen=True)
class Spread:
    """The performance of several runs.

    Attributes
    ----------
    relative
        Maximum minus minimum, divided by the median.
    """

    runs: int
    unit: str
    median: float
    low: float
    high: float
    relative: float

    def line(self) -> str:
        """As text."""
        return (
            f"{self.runs} runs: median {self.median:.6g} {self.unit}, from {self.low:.6g} to {self.high:.6g} "
            f"(spread {100 * self.relative:.2g} %)"
        )

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


def spread_of(metas: Sequence[ExperimentMeta]) -> Spread | None:
    """The spread of the performance of repeated runs; None if fewer than two have one."""
    found = [figures(meta) for meta in metas]
    values = [row.value for row in found if row.value]
    if len(values) < 2:
        return None
    median = statistics.median(values)
    return Spread(len(values), found[0].unit, median, min(values), max(values), (max(values) - min(values)) / median)

"""Check whether new runs are slower or less accurate than old ones, beyond a tolerance and beyond noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ck_repo.errors import UsageError
from ck_repo.experiments.interval import t_quantile
from ck_repo.report.subject import Subject


@dataclass(frozen=True)
class Judgement:
    """The comparison of new runs with old ones.

    Attributes
    ----------
    ratio
        Speed of the new runs relative to the old ones, above 1 if they are faster; None if there is nothing to compare.
    interval
        95 % confidence interval of the ratio; None if the spread is unknown.
    from_repetitions
        Whether the interval is from repeated runs; otherwise it is from the queries of each run.
    accuracy
        Change of mAP, 0–1; None if it was not measured.
    faults
        What became worse, in sentences.
    remarks
        Limitations of the comparison.
    """

    ratio: float | None
    interval: tuple[float, float] | None
    from_repetitions: bool
    accuracy: float | None
    faults: tuple[str, ...]
    remarks: tuple[str, ...]

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return {**asdict(self), "worse": bool(self.faults)}


def judge(new: Sequence[Subject], old: Sequence[Subject], tolerance: float, map_tolerance: float) -> Judgement:
    """Compare runs of the same scenario.

    A loss of speed counts if it exceeds the tolerance, and the interval of the ratio does not include 1. The interval is
    Welch's on the logarithms of repeated runs if both sides have two or more, else from the queries of the runs.

    Parameters
    ----------
    tolerance
        Relative loss of speed, 0–1.
    map_tolerance
        Absolute loss of mAP, 0–1.

    Raises
    ------
    UsageError
        If the runs have figures of different units.
    """
    units = {each.figures.unit for each in (*new, *old) if each.figures.value is not None}
    if len(units) > 1:
        raise UsageError(f"the runs have results in {' and '.join(sorted(units))}", hint="compare runs of one scenario")
    speeds = [_speeds(side) for side in (new, old)]
    ratio, interval, repeated, faults, remarks = None, None, False, [], []
    if all(speeds):
        logs = [[math.log(value) for value in side] for side in speeds]
        ratio = math.exp(statistics.fmean(logs[0]) - statistics.fmean(logs[1]))
        repeated = all(len(side) > 1 for side in logs)
        interval = _welch(logs[0], logs[1]) if repeated else _within(new, old, ratio)
        if interval is None:
            remarks.append("The noise is unknown: repeat the runs (`ck run … --repetitions=5`).")
        elif not repeated:
            remarks.append("The noise is that within each run; repeated runs would be more reliable.")
        if ratio < 1 - tolerance and (interval is None or interval[1] < 1):
            faults.append(f"slower: {100 * (1 - ratio):.2f} %; the tolerance is {100 * tolerance:g} %")
        elif ratio < 1 - tolerance:
            remarks.append(f"{100 * (1 - ratio):.2f} % slower, within the noise.")
    else:
        remarks.append("Performance was not measured on both sides.")
    if all(each.figures.valid for each in old if each.figures.value is not None) and speeds[1]:
        faults += [f"{each.name} is INVALID" for each in new if each.figures.value is not None and not each.figures.valid]
    accuracy = _accuracy(new, old)
    if accuracy is None:
        remarks.append("Accuracy was not measured on both sides.")
    elif accuracy < -map_tolerance:
        faults.append(f"less accurate: mAP {100 * accuracy:+.3f} points; the tolerance is {100 * map_tolerance:g}")
    return Judgement(ratio, interval, repeated, accuracy, tuple(faults), tuple(remarks))


def _speeds(side: Sequence[Subject]) -> list[float]:
    """Results as speeds: the inverse of latencies."""
    found = [each.figures for each in side if each.figures.value]
    return [1 / row.value if row.lower_is_better else row.value for row in found if row.value]


def _welch(new: Sequence[float], old: Sequence[float]) -> tuple[float, float]:
    """The interval of a ratio of geometric means: Welch's t on logarithms."""
    parts = [statistics.variance(side) / len(side) for side in (new, old)]
    total = sum(parts)
    gap = statistics.fmean(new) - statistics.fmean(old)
    if not total:
        return math.exp(gap), math.exp(gap)
    degrees = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (new, old), strict=True))
    half = t_quantile(max(1, int(degrees))) * math.sqrt(total)
    return math.exp(gap - half), math.exp(gap + half)


def _within(new: Sequence[Subject], old: Sequence[Subject], ratio: float) -> tuple[float, float] | None:
    """The interval of a ratio from those of single runs, as relative errors that are added in squares."""
    widths = []
    for side in (new, old):
        known = [each for each in side if each.interval is not None and each.figures.value]
        if not known or known[0].interval is None or min(known[0].interval) <= 0:
            return None
        low, high = known[0].interval
        widths.append(math.log(high / low) / 2)
    half = math.hypot(*widths)
    return ratio * math.exp(-half), ratio * math.exp(half)


def _accuracy(new: Sequence[Subject], old: Sequence[Subject]) -> float | None:
    sides = [[each.figures.mAP for each in side if each.figures.mAP is not None] for side in (new, old)]
    return statistics.fmean(sides[0]) - statistics.fmean(sides[1]) if all(sides) else None

"""Confidence intervals for the results of one run, from the times of its queries."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from ck_repo.experiments.interval import t_quantile

_Z = 1.959964  # 97.5 % quantile of the normal distribution
_FEWEST = 8  # minimum number of slices for an estimate of their spread


def percentile_interval(ordered: Sequence[float], share: float) -> tuple[float, float] | None:
    """A 95 % confidence interval of a percentile for any distribution, from order statistics.

    The number of values below the percentile is binomial; its normal approximation gives the ranks. Source: Conover, Practical
    Nonparametric Statistics, 3rd edition, section 3.2.

    Parameters
    ----------
    ordered
        Sorted values.
    share
        0–1.

    Returns
    -------
    tuple of float, or None
        None if there are too few values for an upper bound.

    Examples
    --------
    >>> percentile_interval([float(number) for number in range(1, 101)], 0.5)
    (40.0, 60.0)
    """
    count = len(ordered)
    half = _Z * math.sqrt(count * share * (1 - share))
    low, high = math.floor(count * share - half), math.ceil(count * share + half)
    if high > count or low < 1:
        return None
    return ordered[low - 1], ordered[high - 1]


def rate_interval(ends: Sequence[float], begin: float) -> tuple[float, float] | None:
    """A 95 % confidence interval of a rate: Student's t over slices of the run, each of which is treated as a measurement.

    Parameters
    ----------
    ends
        When each sample was answered, in s.
    begin
        When the run started, in s.
    """
    if not ends:
        return None
    seconds = max(ends) - begin
    count = min(30, int(seconds))
    if count < _FEWEST:
        return None
    width = seconds / count
    answered = [0] * count
    for end in ends:
        answered[min(count - 1, max(0, int((end - begin) / width)))] += 1
    rates = [each / width for each in answered]
    half = t_quantile(count - 1) * statistics.stdev(rates) / math.sqrt(count)
    return statistics.fmean(rates) - half, statistics.fmean(rates) + half

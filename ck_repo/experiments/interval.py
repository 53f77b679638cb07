"""Confidence intervals for a ratio that was measured a few times."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

# 97.5 % quantiles of Student's t for 1, 2, … degrees of freedom (Fisher and Yates, Statistical Tables, table III)
_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314,
    2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip


def t_quantile(degrees: float) -> float:
    """The 97.5 % quantile of Student's t.

    Between whole degrees of freedom it is interpolated linearly in their reciprocal, which gives slightly too much. Above 30,
    the expansion around the normal quantile (Abramowitz and Stegun, 26.7.5) is used, which is accurate to 1e-4 there.

    >>> t_quantile(2)
    4.3027
    >>> round(t_quantile(2.5), 2)
    3.63
    """
    low = math.floor(degrees)
    if low < len(_T):
        share = (1 / low - 1 / degrees) / (1 / low - 1 / (low + 1))
        return _T[low - 1] + share * (_T[low] - _T[low - 1])
    if degrees == len(_T):
        return _T[-1]
    z = statistics.NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def geometric_interval(ratios: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the geometric mean of positive ratios: Student's t on their logarithms.

    Parameters
    ----------
    ratios
        One for each run, above 0.

    Returns
    -------
    tuple of float, or None
        Lower and upper bound. None for a single run, whose spread is unknown.

    Examples
    --------
    >>> geometric_interval([1.0]) is None
    True
    >>> low, high = geometric_interval([1.00, 1.02, 0.98])
    >>> round(low, 3), round(high, 3)
    (0.951, 1.051)
    """
    if len(ratios) < 2:
        return None
    logs = [math.log(ratio) for ratio in ratios]
    centre = statistics.fmean(logs)
    half = t_quantile(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(centre - half), math.exp(centre + half)


def ratio_interval(values: Sequence[float], base: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the ratio of two geometric means, of runs that are not paired.

    Welch's t-test on the logarithms, with the degrees of freedom of Welch and Satterthwaite.

    Parameters
    ----------
    values, base
        One for each run, above 0.

    Returns
    -------
    tuple of float, or None
        Lower and upper bound. None if either has a single run, whose spread is unknown.

    Examples
    --------
    >>> ratio_interval([2.0], [1.0, 1.0]) is None
    True
    >>> low, high = ratio_interval([2.00, 2.04, 1.96], [1.00, 1.01, 0.99])
    >>> round(low, 3), round(high, 3)
    (1.918, 2.085)
    """
    if len(values) < 2 or len(base) < 2:
        return None
    one, other = ([math.log(value) for value in row] for row in (values, base))
    parts = [statistics.variance(row) / len(row) for row in (one, other)]
    centre = statistics.fmean(one) - statistics.fmean(other)
    if not sum(parts):
        return math.exp(centre), math.exp(centre)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(row) - 1) for part, row in zip(parts, (one, other), strict=True))
    half = t_quantile(max(1.0, freedom)) * math.sqrt(sum(parts))
    return math.exp(centre - half), math.exp(centre + half)

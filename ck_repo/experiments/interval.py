"""A confidence interval for a ratio that was measured a few times."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

# 97.5 % quantiles of Student's t for 1, 2, … degrees of freedom (Fisher and Yates, Statistical Tables, table III)
_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314,
    2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip


def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t.

    Above 30 degrees of freedom, the expansion around the normal quantile (Abramowitz and Stegun, 26.7.5) is used, which is
    accurate to 1e-4 there.

    >>> t_quantile(2)
    4.3027
    """
    if degrees <= len(_T):
        return _T[degrees - 1]
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

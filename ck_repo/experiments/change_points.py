"""Find changes in a series of values that are larger than its noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

_SHORTEST = 3  # minimum number of values on either side of a change
_PENALTY = 3.0  # times the logarithm of the length, as in the Bayesian information criterion for a mean and a variance
_FLOOR = 1e-3  # minimum relative noise of a series, because values are rounded


def change_points(values: Sequence[float]) -> list[int]:
    """The positions at which the mean changes, in order.

    Binary segmentation of normal values with piecewise constant mean (Scott and Knott, Biometrics 30, 1974), on logarithms, so
    that noise and steps are relative.

    Parameters
    ----------
    values
        Positive values in the order of time.

    Examples
    --------
    >>> change_points([10.0, 10.1, 9.9, 10.0, 12.0, 12.1, 11.9, 12.0])
    [4]
    >>> change_points([10.0, 10.4, 9.7, 10.2, 9.9, 10.1])
    []
    """
    if any(value <= 0 for value in values):
        return []
    return sorted(_split([math.log(value) for value in values], 0, len(values)))


def _split(logs: Sequence[float], begin: int, end: int) -> list[int]:
    part = logs[begin:end]
    count = len(part)
    if count < 2 * _SHORTEST:
        return []
    sums, squares = [0.0], [0.0]
    centre = sum(part) / count
    for value in part:
        sums.append(sums[-1] + value - centre)
        squares.append(squares[-1] + (value - centre) ** 2)

    def cost(first: int, last: int) -> float:
        length = last - first
        return max(0.0, squares[last] - squares[first] - (sums[last] - sums[first]) ** 2 / length)

    best = min(range(_SHORTEST, count - _SHORTEST + 1), key=lambda at: cost(0, at) + cost(at, count))
    whole, parted = (max(each / count, _FLOOR**2) for each in (cost(0, count), cost(0, best) + cost(best, count)))
    if count * (math.log(whole) - math.log(parted)) <= _PENALTY * math.log(count):
        return []
    middle = begin + best
    return [*_split(logs, begin, middle), middle, *_split(logs, middle, end)]

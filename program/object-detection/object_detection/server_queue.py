"""Server's queue, simulated: the highest rate of queries whose latencies stay within the bound.

A layout of the highest throughput is not always the best one in Server. Two sessions of one thread may answer more queries than
one session of two threads, but each query takes longer, so less of the bound is left for waiting.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

import numpy as np

from object_detection.layouts import Layout

_QUERIES = 10_000
_STEPS = 10  # of bisection: a thousandth of the throughput
_SEED = 1  # every layout has the same arrivals


def highest_rate(layout: Layout, rates: Mapping[Layout, float], bound: float, percentile: float) -> float:
    """Queries/s that a layout answers within a bound.

    The time of a batch follows from the measured rates of layouts with the same sessions and threads; between and below their
    batches it is interpolated linearly. Queries arrive at random, as LoadGen issues them, and a free session takes the
    waiting ones, up to its batch size.

    Parameters
    ----------
    rates
        Samples/s of layouts while all sessions are busy, this one among them.
    bound
        Latency, s.
    percentile
        Of the latencies that has to be within the bound, 0 to 1.

    Returns
    -------
    float
        Queries/s. If even a single query takes longer than the bound, its time in s, negative: less than every rate, and the
        faster layout has the higher value.
    """
    same = {other.batch_size: other for other in rates if other.team == layout.team and other.batch_size <= layout.batch_size}
    sizes = sorted(same)
    seconds = [size * layout.sessions / rates[same[size]] for size in sizes]
    table = np.interp(range(layout.batch_size + 1), [0, *sizes], [0.0, *seconds])
    return _highest(layout.sessions, tuple(table.tolist()), bound, percentile)


@lru_cache(maxsize=256)
def _highest(sessions: int, seconds: tuple[float, ...], bound: float, percentile: float) -> float:
    """Queries/s; `seconds` has the time of a batch by its size."""
    if seconds[1] > bound:
        return -seconds[1]
    low, high = 0.0, sessions * (len(seconds) - 1) / seconds[-1]
    allowed = int(_QUERIES * (1 - percentile))
    chance = random.Random(_SEED)
    arrivals = list(accumulate(chance.expovariate(1.0) for _ in range(_QUERIES)))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _late([at / middle for at in arrivals], sessions, seconds, bound, allowed) <= allowed:
            low = middle
        else:
            high = middle
    return low


def _late(arrivals: Sequence[float], sessions: int, seconds: Sequence[float], bound: float, enough: int) -> int:
    """How many queries are answered later than the bound; the count ends when there are more than `enough`."""
    free, late, first, count = [0.0] * sessions, 0, 0, len(arrivals)
    while first < count and late <= enough:
        start = max(heapq.heappop(free), arrivals[first])
        after = first + 1
        while after < count and after - first < len(seconds) - 1 and arrivals[after] <= start:
            after += 1
        end = start + seconds[after - first]
        late += sum(end - arrivals[query] > bound for query in range(first, after))
        heapq.heappush(free, end)
        first = after
    return late

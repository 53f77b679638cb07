"""The interval of a verdict has its nominal coverage, even for a few runs."""

from __future__ import annotations

import math
import random

import pytest

from ck_repo.experiments.interval import geometric_interval, ratio_interval, t_quantile


@pytest.mark.parametrize("runs", [2, 3, 4, 5, 10, 40])
def test_intervals_cover_the_true_ratio_95_percent_of_the_time(runs: int) -> None:
    draw, rounds, true = random.Random(runs), 2000, 1.07
    covered = 0
    for _ in range(rounds):
        low, high = geometric_interval([true * math.exp(draw.gauss(0, 0.05)) for _ in range(runs)]) or (0.0, 0.0)
        covered += low <= true <= high
    # five standard deviations of a binomial proportion around 0.95
    assert covered / rounds == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / rounds))


@pytest.mark.parametrize(("one", "other"), [(2, 2), (3, 5), (10, 10)])
def test_intervals_of_unpaired_runs_cover_the_true_ratio(one: int, other: int) -> None:
    draw, rounds, true = random.Random(one), 2000, 1.07
    covered = 0
    for _ in range(rounds):
        runs = [true * math.exp(draw.gauss(0, 0.05)) for _ in range(one)], [math.exp(draw.gauss(0, 0.03)) for _ in range(other)]
        low, high = ratio_interval(*runs) or (0.0, 0.0)
        covered += low <= true <= high
    assert covered / rounds > 0.95 - 5 * math.sqrt(0.95 * 0.05 / rounds)


# R 4.3: qt(0.975, df)
@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.7062), (5, 2.5706), (30, 2.0423), (31, 2.0395), (60, 2.0003), (1000, 1.9623)]
)
def test_quantiles_match_tables(degrees: int, quantile: float) -> None:
    assert t_quantile(degrees) == pytest.approx(quantile, abs=1e-4)


def test_interval_of_one_run_and_of_equal_runs() -> None:
    assert geometric_interval([1.3]) is None
    assert geometric_interval([1.5, 1.5, 1.5]) == pytest.approx((1.5, 1.5))

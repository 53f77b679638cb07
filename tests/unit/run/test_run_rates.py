"""A plan shows how fast each test will issue its queries."""

from __future__ import annotations

import pytest

from ck_repo.contract.record import write
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for
from ck_repo.run.options import RunOptions
from ck_repo.run.rates import rates
from ck_repo.run.spec import loadgen_settings


def _rates(scenario: str, mode: str = "performance", target_qps: float | None = None) -> list[str]:
    options = RunOptions(scenario=scenario, mode=mode, target_qps=target_qps)
    rules = rules_for(load_round(), "ssd-mobilenet")
    return rates(options.modes, rules.scenario(scenario), write(loadgen_settings(options, rules)))


@pytest.mark.parametrize("scenario", ["singlestream", "multistream", "server", "offline"])
def test_accuracy_runs_at_full_speed(scenario: str) -> None:
    assert _rates(scenario, "accuracy") == ["accuracy: each image once, as fast as possible"]


@pytest.mark.parametrize(
    ("scenario", "target", "line"),
    [
        ("server", 50.0, "performance: 50 queries/s at random, for 10 s"),
        (
            "server",
            None,
            "performance: queries at random, at 25 % of the rate that is measured first (--target-qps sets it), for 10 s",
        ),
        ("offline", None, "performance: all samples in one query, for 10 s"),
        ("singlestream", None, "performance: the next query when the last is answered, for 10 s"),
        ("multistream", None, "performance: 20 queries/s at fixed intervals, for 10 s"),
    ],
)
def test_performance_has_rate_of_the_scenario(scenario: str, target: float | None, line: str) -> None:
    assert _rates(scenario, target_qps=target) == [line]

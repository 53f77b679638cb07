"""LoadGen's settings: the figures of round v1.0 on request, and always its seeds."""

from __future__ import annotations

from typing import Any

import pytest

from ck_repo.contract.record import write
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for
from ck_repo.run.options import SCENARIOS, RunOptions
from ck_repo.run.spec import loadgen_settings
from ck_repo.store.installed import Installed, RecipeEntry

MODELS = ("ssd-mobilenet", "ssd-resnet34")
# mlperf.conf of mlcommons/inference v1.0.1
PERCENTILE = {"singlestream": 0.90, "multistream": 0.99, "server": 0.99, "offline": 0.90}
LATENCY_MS = {
    "ssd-mobilenet": {"singlestream": 10, "multistream": 50, "server": 10, "offline": None},
    "ssd-resnet34": {"singlestream": 10, "multistream": 66, "server": 100, "offline": None},
}
SAMPLES_PER_QUERY = {"singlestream": 1, "multistream": 4, "server": 1, "offline": 1}
SAMPLE_COUNT = {"ssd-mobilenet": 256, "ssd-resnet34": 64}
SEEDS = {
    "qsl_rng_seed": 7322528924094909334,
    "sample_index_rng_seed": 1570999273408051088,
    "schedule_rng_seed": 3507442325620259414,
}


def settings(scenario: str = "offline", model: str = "ssd-mobilenet", **options: Any) -> dict[str, Any]:
    if scenario == "server" and options.get("official"):
        options.setdefault("target_qps", 50.0)  # a run without one is rejected
    return write(loadgen_settings(RunOptions(scenario=scenario, **options), rules_for(load_round(), model)))


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_figures_of_the_round(scenario: str, model: str, official: bool) -> None:
    row = settings(scenario, model, official=official)
    assert {key: row[key] for key in SEEDS} == SEEDS
    assert row["percentile"] == PERCENTILE[scenario]
    assert row["target_latency_ms"] == LATENCY_MS[model][scenario]
    assert row["samples_per_query"] == SAMPLES_PER_QUERY[scenario]
    assert row["performance_sample_count"] == SAMPLE_COUNT[model]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_run_lasts_ten_seconds_by_default(scenario: str) -> None:
    assert settings(scenario)["min_duration_ms"] == 10_000
    assert settings(scenario, seconds=0.25)["min_duration_ms"] == 250
    assert settings(scenario)["min_query_count"] == 0


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_official_run_lasts_at_least_ten_minutes(scenario: str) -> None:
    assert settings(scenario, official=True)["min_duration_ms"] >= 600_000
    assert settings(scenario, official=True, seconds=1.0)["min_duration_ms"] >= 600_000
    assert settings(scenario, official=True, seconds=10_000.0)["min_duration_ms"] >= 10_000_000


def test_official_offline_run_has_24576_samples() -> None:
    assert settings("offline", official=True)["min_query_count"] == 24576


@pytest.mark.parametrize("scenario", ["singlestream", "multistream", "server"])
def test_sample_order_is_that_of_the_round(scenario: str) -> None:
    """Measured with LoadGen 4.1.30: only with a minimum query count of 0 does the duration determine the count."""
    assert settings(scenario, official=True)["min_query_count"] == 0


@pytest.mark.parametrize("rate", [20.0, 400.0, 1000.0])
def test_official_server_run_is_long_enough_for_270336_queries(rate: float) -> None:
    row = settings("server", official=True, target_qps=rate)
    assert row["min_duration_ms"] / 1e3 * row["target_qps"] >= 270336 * 0.9999


def test_user_settings_are_used() -> None:
    row = settings("server", target_qps=50.0, target_latency=100.0)
    assert (row["target_qps"], row["target_latency_ms"]) == (50.0, 100.0)
    assert settings("multistream", samples_per_query=8)["samples_per_query"] == 8


def test_label_is_package_alias_or_registered_name() -> None:
    assert Installed("Demo SSD", component=RecipeEntry(alias="model-demo-ssd")).title == "model-demo-ssd"
    assert Installed("mine.onnx").title == "mine.onnx"

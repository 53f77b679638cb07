"""The v1.0 rules as data. Source of every figure: mlperf.conf of mlcommons/inference v1.0.1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import benchmark_of, mlperf_conf, rules_for, user_conf
from ck_repo.run.options import RunOptions
from ck_repo.run.spec import loadgen_settings


@pytest.mark.parametrize(("benchmark", "count"), [("ssd-mobilenet", 256), ("ssd-resnet34", 64)])
def test_seeds_and_performance_sample_count(benchmark: str, count: int) -> None:
    rules = rules_for(load_round(), benchmark)
    assert rules.performance_sample_count == count
    assert rules.seeds == {
        "qsl_rng_seed": 7322528924094909334,
        "sample_index_rng_seed": 1570999273408051088,
        "schedule_rng_seed": 3507442325620259414,
    }


@pytest.mark.parametrize(
    ("scenario", "percentile", "queries", "latency", "samples"),
    [
        ("singlestream", 0.90, 1024, (10, 10), 1),
        ("multistream", 0.99, 270336, (50, 66), 4),
        ("server", 0.99, 270336, (10, 100), 1),
        ("offline", 0.90, 24576, (None, None), 1),
    ],
)
def test_scenarios(
    scenario: str, percentile: float, queries: int, latency: tuple[float | None, float | None], samples: int
) -> None:
    for benchmark, bound in zip(("ssd-mobilenet", "ssd-resnet34"), latency, strict=True):
        row = rules_for(load_round(), benchmark).scenarios[scenario]
        assert (row.percentile, row.min_duration_ms, row.min_query_count) == (percentile, 600_000, queries)
        assert (row.target_latency_ms, row.samples_per_query) == (bound, samples)


def read(conf: str) -> dict[str, str]:
    """The lines ``model.scenario.key = value``."""
    rows = [line.partition(" = ") for line in conf.splitlines() if line and not line.startswith("#")]
    return {key: value for key, _, value in rows}


def test_mlperf_conf_has_round_figures_in_loadgen_syntax() -> None:
    conf = read(mlperf_conf(rules_for(load_round(), "ssd-resnet34")))
    assert {
        "*.*.qsl_rng_seed": "7322528924094909334",
        "ssd-resnet34.*.performance_sample_count_override": "64",
        "*.SingleStream.target_latency_percentile": "90",
        "*.SingleStream.min_duration": "600000",
        "*.SingleStream.min_query_count": "1024",
        "ssd-resnet34.SingleStream.target_latency": "10",
        "ssd-resnet34.MultiStream.target_latency": "66",
        "*.MultiStream.samples_per_query": "4",
        "*.Server.target_latency_percentile": "99",
        "ssd-resnet34.Server.target_latency": "100",
        "*.Server.min_query_count": "270336",
        "*.Offline.min_query_count": "24576",
    }.items() <= conf.items()
    assert "ssd-resnet34.Offline.target_latency" not in conf


def written(**changes: Any) -> dict[str, str]:
    """user.conf of a SingleStream run with the round's figures except these."""
    rules = rules_for(load_round(), "ssd-mobilenet")
    official = loadgen_settings(RunOptions(scenario="singlestream", official=True), rules)
    settings = {"min_query_count": 1024, "target_latency_ms": 10.0} | changes
    return read(user_conf(rules, "singlestream", replace(official, **settings)))


def test_official_user_conf_is_empty() -> None:
    assert written() == {}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"min_duration_ms": 10_000}, ("min_duration", "10000")),
        ({"min_duration_ms": 1_234_567}, ("min_duration", "1234567")),
        ({"min_query_count": 3_000_000}, ("min_query_count", "3000000")),
        ({"performance_sample_count": 16}, ("performance_sample_count_override", "16")),
        ({"target_latency_ms": 12.5}, ("target_latency", "12.5")),
        ({"target_qps": 1234.5678}, ("target_qps", "1234.5678")),
    ],
)
def test_user_conf_has_changed_values_exactly(change: dict[str, Any], line: tuple[str, str]) -> None:
    assert written(**change) == {f"ssd-mobilenet.SingleStream.{line[0]}": line[1]}


def test_benchmark_comes_from_meta_or_input_size() -> None:
    assert benchmark_of({"benchmark": "ssd-resnet34"}, 300) == "ssd-resnet34"
    assert (benchmark_of({}, 300), benchmark_of({}, 1200)) == ("ssd-mobilenet", "ssd-resnet34")

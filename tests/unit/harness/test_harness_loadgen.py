"""LoadGen gets the round's settings by field, and so issues the round's samples."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from patience import until_valid

lg = pytest.importorskip("mlperf_loadgen")
pytest.importorskip("numpy")
pytest.importorskip("cv2")

from object_detection import loadgen, loadgen_module  # noqa: E402
from object_detection.spec import LoadGenSettings  # noqa: E402

from ck_repo.contract.record import write  # noqa: E402
from ck_repo.rounds.logs import read_detail  # noqa: E402
from ck_repo.rounds.round import load_round  # noqa: E402
from ck_repo.rounds.rules import rules_for  # noqa: E402
from ck_repo.rounds.submission import Place, find_results, read_result  # noqa: E402
from ck_repo.run.options import SCENARIOS, RunOptions  # noqa: E402
from ck_repo.run.rates import MEASURED_SHARE  # noqa: E402
from ck_repo.run.spec import loadgen_settings  # noqa: E402

# measured with the LoadGens on PyPI: the beginning of all 35 published sets of v1.0
FIRST_LOADED = [4110, 1440, 945, 4241, 1362, 3592]
LOADED = "c89def559bc1ce31b026af4cd1dbc551f158ef81d7a1f99e04892b5ccfcd6877"  # SHA-256 of all 256, joined by spaces


def settings(scenario: str, mode: str = "performance", rate: float = 100.0, **options: Any) -> Any:
    wanted = loadgen_settings(RunOptions(scenario=scenario, **options), rules_for(load_round(), "ssd-mobilenet"))
    content: dict[str, Any] = write(wanted)
    return loadgen.settings_for(scenario, mode, LoadGenSettings(**content), rate)


@pytest.fixture(scope="module")
def runs(loadgen_run: Callable[..., Any]) -> dict[str, Any]:
    return {scenario: loadgen_run(RunOptions(scenario=scenario, seconds=0.2, target_qps=1000.0)) for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_loaded_samples_are_those_of_the_round(runs: dict[str, Any], scenario: str) -> None:
    assert runs[scenario].loaded[:6] == FIRST_LOADED


def test_all_loaded_samples_are_those_of_the_round(runs: dict[str, Any]) -> None:
    """256 indices, as in every published set of v1.0; the digest is that of LoadGen 4.1.30 and of the round's own."""
    loaded = runs["offline"].loaded
    assert len(loaded) == len(set(loaded)) == 256
    assert sha256(" ".join(map(str, loaded)).encode()).hexdigest() == LOADED


def test_all_loaded_samples_match_a_published_run(runs: dict[str, Any], data: Path) -> None:
    log = "results_v1.0/closed/NVIDIA/results/Xavier_NX_TRT/ssd-mobilenet/Offline/performance/run_1/mlperf_log_detail.txt"
    line = next(line for line in (data / log).read_text().splitlines() if '"loaded_qsl_set"' in line)
    published = json.loads(line.removeprefix(":::MLLOG"))["value"]
    assert runs["offline"].loaded == published[:256]  # this submitter loads 1024


@pytest.mark.parametrize("benchmark", ["ssd-mobilenet", "ssd-resnet34"])
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("v0.7", [3597, 3213, 3666, 2071, 929, 1697]),
        ("v1.0", [4110, 1440, 945, 4241, 1362, 3592]),
        ("v1.1", [1414, 1798, 3993, 3860, 2950, 805]),
        ("v2.0", [3052, 2179, 4195, 2343, 4768, 361]),
    ],
)
def test_loaded_samples_are_those_of_each_round(
    loadgen_run: Callable[..., Any], name: str, first: list[int], benchmark: str
) -> None:
    """Source: the performance logs published in the round."""
    found = loadgen_run(RunOptions(scenario="offline", seconds=0.1, round=name), benchmark)
    assert found.loaded[:6] == first
    assert len(set(found.loaded)) == {"ssd-mobilenet": 256, "ssd-resnet34": 64}[benchmark]


PUBLISHED = [
    ("v1.1", "Alibaba/results/T4x1_TRT/ssd-mobilenet/Offline"),
    ("v2.0", "Dell/results/XE2420_A30x1_TRT_MaxQ/ssd-mobilenet/Offline"),
    ("v2.0", "Alibaba/results/haishen-qaic-v1.6.80-aic100/ssd-resnet34/offline"),
    ("v0.7", "CentaurTechnology/results/0/ssd-small/Offline"),
]


@pytest.mark.parametrize(("name", "result"), PUBLISHED, ids=lambda value: value.replace("/", "-"))
def test_all_loaded_samples_match_a_published_run_of_the_round(
    loadgen_run: Callable[..., Any], data: Path, name: str, result: str
) -> None:
    published = read_result(load_round(name), _place(data / "rounds" / name, result)).samples
    benchmark = "ssd-resnet34" if "resnet34" in result else "ssd-mobilenet"
    found = loadgen_run(RunOptions(scenario="offline", seconds=0.1, round=name), benchmark)
    assert len(published) >= len(found.loaded)
    assert found.loaded == published[: len(found.loaded)]


@pytest.mark.parametrize(("scenario", "percentile"), [("singlestream", "p90"), ("multistream", "p99")])
def test_early_stopping_estimate_is_the_result_from_v2_0(
    loadgen_run: Callable[..., Any], scenario: str, percentile: str
) -> None:
    from object_detection import summary

    row = loadgen_run(RunOptions(scenario=scenario, seconds=2.0, round="v2.0"), rate=100_000.0)
    events = read_detail(row.folder / "mlperf_log_detail.txt")
    rules = load_round("v2.0").scenario(scenario)
    found = summary.performance(row.folder, scenario)
    assert found.early_stopping_met is events.values["early_stopping_met"]
    logged = events.number(rules.result_key)
    assert logged
    assert rules.recorded_figure(asdict(found)) == pytest.approx(logged / 1e6)
    assert rules.recorded == "early_stopping_latency_ms"
    assert percentile in found.early_stopping_latency_ms
    samples = events.number("effective_samples_per_query")
    assert samples == (8 if scenario == "multistream" else 1)


def test_early_stopping_decides_the_query_count_from_v2_0() -> None:
    for name, minimum in (("v1.0", 1024), ("v2.0", 0)):
        options = RunOptions(scenario="singlestream", official=True, round=name)
        found = loadgen_settings(options, rules_for(load_round(name), "ssd-mobilenet"))
        assert (found.required_query_count, found.early_stopping) == (minimum, name == "v2.0")
    server = RunOptions(scenario="server", official=True, round="v2.0", target_qps=10.0)
    assert loadgen_settings(server, rules_for(load_round("v2.0"), "ssd-resnet34")).min_duration_ms == 600_000


def _place(root: Path, result: str) -> Place:
    return next(place for place in find_results(root) if str(place.results).endswith(result))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_issued_samples_are_the_loaded_samples(runs: dict[str, Any], scenario: str) -> None:
    assert set(runs[scenario].issued) <= set(runs[scenario].loaded)


def test_sample_order_is_reproducible(loadgen_run: Callable[..., Any]) -> None:
    options = RunOptions(scenario="server", seconds=0.2, target_qps=1000.0)
    first, again = (until_valid(lambda: loadgen_run(options).issued, lambda issued: len(issued) > 50) for _ in range(2))
    both = min(len(again), len(first))
    assert both > 50
    assert again[:both] == first[:both]


def test_log_has_settings_of_the_round(runs: dict[str, Any]) -> None:
    text = (runs["server"].folder / "mlperf_log_detail.txt").read_text()
    rows = {row["key"]: row for row in (json.loads(line.removeprefix(":::MLLOG")) for line in text.splitlines())}
    assert rows["effective_qsl_rng_seed"]["value"] == 7322528924094909334  # mlperf.conf of mlcommons/inference v1.0.1
    assert rows["effective_sample_index_rng_seed"]["value"] == 1570999273408051088
    assert rows["effective_schedule_rng_seed"]["value"] == 3507442325620259414
    assert rows["effective_target_latency_percentile"]["value"] == 0.99
    assert rows["effective_target_latency_ns"]["value"] == 10_000_000
    assert not [row for row in rows.values() if row["metadata"]["is_error"]]


def test_audit_config_in_working_folder_is_ignored(
    loadgen_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "audit.config").write_text("*.*.qsl_rng_seed = 1\n*.*.sample_index_rng_seed = 2\n")
    monkeypatch.chdir(tmp_path)
    row = loadgen_run(RunOptions(scenario="offline", seconds=0.1))
    assert row.loaded[:6] == FIRST_LOADED
    assert Path.cwd() == tmp_path
    assert "Audit Config" not in (row.folder / "mlperf_log_detail.txt").read_text()


@pytest.mark.parametrize("mode", ["accuracy", "performance"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_and_mode(scenario: str, mode: str) -> None:
    row = settings(scenario, mode)
    assert row.scenario == loadgen.SCENARIOS[scenario]
    assert row.mode == {"accuracy": lg.TestMode.AccuracyOnly, "performance": lg.TestMode.PerformanceOnly}[mode]
    assert row.performance_sample_count_override == 256


def test_server_gets_its_bound_and_rate() -> None:
    row = settings("server", target_qps=50.0, target_latency=100.0)
    assert (row.server_target_qps, row.server_target_latency_ns) == (50.0, 100_000_000)
    assert row.server_target_latency_percentile == 0.99


def test_server_accuracy_runs_at_full_speed() -> None:
    for options in ({}, {"target_qps": 5.0}):
        assert settings("server", "accuracy", rate=1.0, **options).server_target_qps >= 1e4


def test_measured_rate_share_matches_the_plan() -> None:
    assert settings("server", rate=100.0).server_target_qps == 100 * MEASURED_SHARE


def test_offline_run_of_fast_system_is_long_enough() -> None:
    """LoadGen makes 1.1 × duration × expected rate samples; a target below the rate would end the run too early."""
    assert settings("offline", target_qps=10.0, rate=100.0).offline_expected_qps >= 100
    assert settings("offline", target_qps=500.0, rate=100.0).offline_expected_qps == 500


@pytest.mark.parametrize("rate", [5.0, 100.0, 20_000.0])
def test_queries_last_for_the_duration(rate: float) -> None:
    """LoadGen makes queries for the duration divided by the expected latency, which must not exceed the measured one."""
    assert settings("singlestream", rate=rate).single_stream_expected_latency_ns <= 1e9 / rate
    assert settings("multistream", rate=rate).multi_stream_expected_latency_ns <= 4e9 / rate


# the samples of v1.0, compared with published logs: the seeds, 5000 images and LoadGen 4.1.30 give the same

TEST01 = [
    ("closed/Centaur Technology/{}/Centaur-AIC-2.0GHz/ssd-small", "singlestream", "ssd-mobilenet"),
    ("closed/Centaur Technology/{}/Centaur-AIC-2.0GHz/ssd-small", "offline", "ssd-mobilenet"),
    ("closed/NVIDIA/{}/Xavier_NX_TRT/ssd-resnet34", "singlestream", "ssd-resnet34"),
    ("closed/NVIDIA/{}/Xavier_NX_TRT/ssd-resnet34", "offline", "ssd-resnet34"),
]


@pytest.mark.parametrize(("tree", "scenario", "benchmark"), TEST01, ids=lambda value: value.rpartition("/")[2])
def test_loaded_samples_and_order_match_published_logs(
    tree: str, scenario: str, benchmark: str, data: Path, loadgen_run: Callable[..., Any]
) -> None:
    folder = (
        data
        / "results_v1.0"
        / tree.format("compliance")
        / rules_for(load_round(), benchmark).scenarios[scenario].name
        / "TEST01"
    )
    detail = read_detail(folder / "performance/run_1/mlperf_log_detail.txt")
    # record heads, including those that a truncated log cuts off after the head
    text = (folder / "accuracy/mlperf_log_accuracy.json").read_text()
    logged = [(int(at), int(index)) for at, index in re.findall(r'"seq_id" : (\d+), "qsl_idx" : (\d+)', text)]
    count = rules_for(load_round(), benchmark).performance_sample_count
    loaded = detail.values["loaded_qsl_set"]
    assert isinstance(loaded, list)
    published = [int(index) for index in loaded]
    assert len(published) >= count
    options = RunOptions(scenario=scenario, seconds=2.0 if scenario == "offline" else 0.3)
    rate = 100_000  # the first 250,000 samples of Offline's single query
    row = until_valid(
        lambda: loadgen_run(options, benchmark, rate=rate), lambda made: any(at < len(made.issued) for at, _ in logged)
    )
    assert row.loaded == published[:count]
    if len(published) == count:  # another submitter loads more, and so draws from more
        reached = [(at, index) for at, index in logged if at < len(row.issued)]
        assert reached
        assert [row.issued[at] for at, _ in reached] == [index for _, index in reached]


def test_another_loadgen_is_rejected_for_official_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from object_detection import pipeline
    from object_detection.errors import HarnessError

    monkeypatch.setattr(loadgen_module, "version", lambda built: "5.0.25")
    wanted: Any = SimpleNamespace(loadgen=SimpleNamespace(version="4.1.30"), official=False, loadgen_built=None)
    assert "LoadGen 5.0.25 is installed; 4.1.30 loads the sample set of the round" in pipeline.check_loadgen(wanted)
    wanted.official = True
    with pytest.raises(HarnessError, match=r"5\.0\.25"):
        pipeline.check_loadgen(wanted)

"""A round is its data file: runs, checks and configuration files follow one that is added."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trees

from ck_repo.contract.record import write
from ck_repo.errors import ConfigError, NotFoundError, UsageError
from ck_repo.experiments.figures import figures
from ck_repo.experiments.meta import read_meta
from ck_repo.rounds import round as rounds
from ck_repo.rounds.check.summary import summary_csv
from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.round import DEFAULT, find_round, load_round, round_names
from ck_repo.rounds.rules import mlperf_conf, rules_for, user_conf
from ck_repo.rounds.user_conf import parse_conf
from ck_repo.run.official import check_options
from ck_repo.run.options import RunOptions, command_of
from ck_repo.run.spec import loadgen_settings
from ck_repo.submit.audit import tests_for as needed_tests

SEEDS = {"qsl_rng_seed": 11, "sample_index_rng_seed": 22, "schedule_rng_seed": 33}
# differences from v1.0
MADE_UP: dict[str, Any] = {
    "based_on": "v1.0",
    "round": "v9.9",
    "images": 3000,
    "seeds": SEEDS,
    "benchmarks": {
        "ssd-mobilenet": {"performance_sample_count": 2000, "accuracy": 0.3, "summary_name": "ssd-tiny"},
        "ssd-resnet34": None,
    },
    "scenarios": {
        "singlestream": {"percentile": 0.8, "min_duration_ms": 5000, "min_query_count": 99},
        "server": {
            "percentile": 0.97, "min_query_count": 1000, "target_latency_ms": {"ssd-mobilenet": 7.5},
        },
        "multistream": None,
        "offline": {"min_query_count": 500},
    },
    "system": {"required": ["division", "submitter", "colour"]},
    "system_scenarios": {"edge": {"ssd-mobilenet": {"required": ["Server"], "optional": ["Offline"]}}},
    "compliance": {"tests": {"TEST05": None, "TEST01": {"bound": 0.5}}},
    "findings": {"seed": {"severity": "rejected"}},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data files: v1.0's, and that of a fictitious round."""
    found = tmp_path / "rounds"
    found.mkdir()
    (found / "v1.0.json").write_text((rounds.FOLDER / "v1.0.json").read_text())
    (found / "v9.9.json").write_text(json.dumps(MADE_UP))
    monkeypatch.setattr(rounds, "FOLDER", found)
    return found


@pytest.fixture
def made_up(folder: Path) -> rounds.Round:
    return load_round("v9.9")


def test_data_file_becomes_a_round(folder: Path) -> None:
    assert round_names() == ("v1.0", "v9.9")
    assert load_round().name == DEFAULT == "v1.0"
    assert find_round("v3.1") is None
    with pytest.raises(NotFoundError, match=r"no round 'v9\.8'") as caught:
        load_round("v9.8")
    assert "v9.9" in caught.value.hint


def test_run_has_settings_of_its_round(made_up: rounds.Round) -> None:
    rules = rules_for(made_up, "ssd-mobilenet")
    server = write(loadgen_settings(RunOptions(scenario="server", official=True, target_qps=10.0, round="v9.9"), rules))
    assert {name: server[name] for name in SEEDS} == SEEDS
    assert (server["percentile"], server["target_latency_ms"], server["performance_sample_count"]) == (0.97, 7.5, 2000)
    assert (server["required_query_count"], server["min_duration_ms"]) == (1000, 600_000)
    single = write(loadgen_settings(RunOptions(scenario="singlestream", official=True), rules))
    assert (single["min_duration_ms"], single["required_query_count"], single["percentile"]) == (5_000, 99, 0.8)
    assert loadgen_settings(RunOptions(scenario="offline", official=True), rules).min_query_count == 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenario": "multistream"}, "'multistream' is not a scenario of round v9.9"),
        ({"compliance": "TEST05"}, "TEST05 is not a test of round v9.9"),
        ({"scenario": "server", "target_qps": 5.0, "target_latency": 8.0, "official": True}, r"bound for Server is 7\.5 ms"),
        ({"scenario": "singlestream", "seconds": 4.0, "official": True}, "at least 5 s"),
    ],
)
def test_options_missing_from_round_are_rejected(made_up: rounds.Round, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_options(RunOptions(round="v9.9", **options), rules_for(made_up, "ssd-mobilenet"))


def test_benchmark_missing_from_round_is_rejected(made_up: rounds.Round) -> None:
    with pytest.raises(UsageError, match=r"ssd-resnet34 is not a benchmark of round v9\.9"):
        rules_for(made_up, "ssd-resnet34")


def test_configuration_files_match_the_round(made_up: rounds.Round) -> None:
    rules = rules_for(made_up, "ssd-mobilenet")
    conf = mlperf_conf(rules)
    assert {
        "# MLPerf Inference v9.9, ssd-mobilenet", "*.*.qsl_rng_seed = 11", "*.Server.target_latency_percentile = 97",
        "ssd-mobilenet.Server.target_latency = 7.5", "ssd-mobilenet.*.performance_sample_count_override = 2000",
        "*.SingleStream.min_duration = 5000", "*.Offline.min_query_count = 500",
    } <= set(conf.splitlines())  # fmt: skip
    assert "MultiStream" not in conf
    settings = loadgen_settings(RunOptions(scenario="singlestream", official=True, seconds=20.0), rules)
    assert "ssd-mobilenet.SingleStream.min_duration = 20000" in user_conf(rules, "singlestream", settings)
    (low, seed, good) = parse_conf("*.Server.min_query_count = 999\n*.*.qsl_rng_seed = 12\n*.*.qsl_rng_seed = 11\n")
    assert "at least 1000" in low.refusal(rules)
    assert "the round's is 11" in seed.refusal(rules)
    assert good.refusal(rules) == ""


def findings(round_: rounds.Round, tree: Path) -> dict[str, set[str]]:
    """Expected values by scenario and rule, for one system's mobilenet."""
    found: dict[str, set[str]] = {}
    for row in check_tree(round_, tree).results:
        if row.place.system == trees.SYSTEM and row.place.model == "ssd-mobilenet":
            for each in row.findings:
                found.setdefault(f"{row.place.scenario} {each.rule} {each.severity}", set()).add(each.expected)
    return found


def test_tree_is_checked_by_rules_of_its_round(made_up: rounds.Round, made: trees.Submissions) -> None:
    assert findings(load_round(), made.root) == {}
    found = findings(made_up, made.root)
    assert "effective_qsl_rng_seed 11" in found["Offline seed rejected"]
    assert found["Offline sample-count rejected"] == {"effective_performance_sample_count of at least 2000"}
    assert found["Offline accuracy rejected"] == {"mAP of at least 30 %"}
    assert found["Offline system rejected"] == {"colour: a value"}
    assert found["Offline scenario-required rejected"] == {"a result of Server for edge"}
    assert found["SingleStream scenario-allowed rejected"] == {"a scenario of edge"}
    assert found["MultiStream scenario rejected"] == {"SingleStream, Server or Offline"}
    assert not any("TEST05" in text for texts in found.values() for text in texts)


def test_results_of_other_models_are_not_in_the_round(made_up: rounds.Round, made: trees.Submissions) -> None:
    rejected = {row.place.model for row in check_tree(made_up, made.root).results if not row.benchmark}
    assert rejected == {"ssd-resnet34"}


@pytest.fixture
def server_tree(made: trees.Submissions, tmp_path: Path) -> Path:
    """A submitter's folder with a Server result like one of ssd-mobilenet."""
    tree = tmp_path / "tree"
    shutil.copytree(made.root, tree)
    for kind in ("results", "measurements", "compliance"):
        base = tree / "closed" / "Quarry" / kind / trees.SERVER_BOX
        (base / "ssd-resnet34").rename(base / "ssd-mobilenet")
    return tree / "closed" / "Quarry"


def test_latency_bound_is_for_percentile_of_the_round(made_up: rounds.Round, server_tree: Path) -> None:
    rows = {row.place.scenario: row for row in check_tree(made_up, server_tree).results}
    (latency,) = [each for each in rows["Server"].findings if each.rule == "latency"]
    assert latency.expected == "result_97.00_percentile_latency_ns of at most 7500000"


def test_summary_names_its_round(made_up: rounds.Round, folder: Path, made: trees.Submissions) -> None:
    lenient = {**MADE_UP, "findings": {name: {"severity": "reported"} for name in load_round().submission.advice}}
    (folder / "v9.10.json").write_text(json.dumps({**lenient, "round": "v9.10"}))
    round_ = load_round("v9.10")
    rows = [row for row in check_tree(round_, made.root).results if row.benchmark and row.value is not None]
    text = summary_csv(round_, rows)
    assert ",v9.10," in text
    assert ",ssd-tiny," in text
    assert ",v1.0," not in text


def test_experiment_figure_is_that_of_its_round(made_up: rounds.Round) -> None:
    results = {"scenario": "singlestream", "performance": {"latency_ms": {"p80": 4.0, "p90": 5.0}, "valid": True}}
    assert figures(read_meta({"results": results}, "meta.json")).value == 5.0
    found = figures(read_meta({"results": results, "options": {"round": "v9.9"}}, "meta.json"))
    assert (found.value, found.unit, found.lower_is_better, found.round) == (4.0, "ms", True, "v9.9")
    assert figures(read_meta({"results": results, "options": {"round": "v0.1"}}, "meta.json")).value is None


def test_audit_has_tests_of_the_round(made_up: rounds.Round) -> None:
    assert needed_tests(made_up, "offline") == ["TEST01", "TEST04-A", "TEST04-B"]


def test_options_name_the_round_unless_default() -> None:
    assert "round" not in RunOptions().as_data()
    assert RunOptions(round="v9.9").as_data()["round"] == "v9.9"
    assert "--round=v9.9" in command_of(RunOptions(round="v9.9"))
    assert "--round" not in command_of(RunOptions())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.update(round="v9"), "round is 'v9'"),
        (lambda row: row["seeds"].update(qsl_rng_seed="eleven"), "seeds.qsl_rng_seed is 'eleven'"),
        (lambda row: row["scenarios"]["offline"].update(percentile=None), "scenarios.offline.percentile is None"),
        (lambda row: row["scenarios"]["offline"].update(issue="sometimes"), "scenarios.offline.issue is 'sometimes'"),
        (lambda row: row.update(log_format="carved"), "log_format is 'carved', not one of mllog, text"),
    ],
)
def test_invalid_data_file_is_an_error_with_key(folder: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    content = json.loads(json.dumps(MADE_UP))
    change(content)
    (folder / "v9.9.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=message) as caught:
        load_round("v9.9")
    assert "v9.9.json" in caught.value.what


@pytest.mark.parametrize("name", round_names())
def test_scenarios_of_every_round_say_how_queries_come(name: str) -> None:
    """v1.1 has no MultiStream; in v2.0 its queries follow one another, and before they came at intervals."""
    scenarios = load_round(name).scenarios().values()
    assert {row.key for row in scenarios if row.at_rate} == {"server"}
    assert {row.key for row in scenarios if row.several_samples} == ({"multistream"} if name != "v1.1" else set())
    assert {row.key for row in scenarios if row.one_query} == {"offline"}

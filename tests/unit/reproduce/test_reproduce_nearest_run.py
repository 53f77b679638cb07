"""From a submission to the nearest run, and own runs next to published ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import trees
from trees import Submissions

from ck_repo.reproduce.nearest_run import match
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import find_results, read_result
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, "9", [1], {}])
def test_invalid_log_number_is_left_out(made: Submissions, value: Any) -> None:
    keys = ("target_qps", "target_latency_ns", "samples_per_query", "performance_sample_count", "min_duration_ms")
    round_ = load_round()
    results = (read_result(round_, place) for place in find_results(made.root))
    result = next(row for row in results if round_.benchmark_called(row.place.model))
    wrong = dict.fromkeys((*keys, "min_query_count"), value)
    assert match(replace(result, settings=wrong)).options == match(replace(result, settings={})).options


def reproduce(ck: Ck, made: Submissions, *words: str) -> Any:
    return ck("reproduce", "submission", f"--path={made.root}", *words, "--out=json")


def test_offline_result(ck: Ck, made: Submissions) -> None:
    found = reproduce(ck, made, f"--system={trees.SYSTEM}", "--model=ssd-mobilenet", "--scenario=offline").json
    assert found["options"]["model"] == "ssd-mobilenet,onnx,int8"
    assert found["options"]["target_qps"] == 6100
    assert found["loadgen"]["qsl_rng_seed"] == 7322528924094909334
    assert (found["loadgen"]["min_duration_ms"], found["loadgen"]["min_query_count"]) == (600000, 24576)
    unmatched = {row["what"]: row for row in found["unmatched"]}
    assert unmatched["accelerator"]["theirs"] == "1 × Example F1"
    assert unmatched["performance sample count"]["theirs"] == "1024"
    assert set(unmatched) == {
        "framework", "quantization", "CPU", "accelerator", "performance sample count", "LoadGen"
    }  # fmt: skip
    assert found["command"].startswith("ck run program:object-detection --model=ssd-mobilenet,onnx,int8 ")
    assert "--target-qps=6100" in found["command"]
    assert "--official" in found["command"]


def test_server_result_with_one_of_our_frameworks(ck: Ck, made: Submissions) -> None:
    found = reproduce(ck, made, f"--system={trees.SERVER_BOX}", "--scenario=server").json
    options = found["options"]
    assert (options["backend"], options["target_qps"], options["target_latency"]) == ("openvino", 39, 100)
    unmatched = {row["what"] for row in found["unmatched"]}
    assert {"weights", "CPU"} <= unmatched  # no 8-bit SSD-ResNet34 is published
    assert "accelerator" not in unmatched
    assert "framework" not in unmatched


def test_multistream_result(ck: Ck, made: Submissions) -> None:
    found = reproduce(ck, made, f"--system={trees.EDGE_BOX}", "--model=ssd-small", "--scenario=multistream").json
    assert found["options"]["samples_per_query"] == 48
    assert found["options"]["target_latency"] == 50
    assert "MultiStream" in {row["what"] for row in found["unmatched"]}


def test_all_matching_results_are_listed_and_one_is_run(ck: Ck, made: Submissions) -> None:
    found = reproduce(ck, made, f"--system={trees.SYSTEM}", "--scenario=offline").json
    assert [row["model"] for row in found["lst"]] == ["ssd-mobilenet", "ssd-resnet34"]
    answer = reproduce(ck, made, f"--system={trees.SYSTEM}", "--run")
    assert answer.code == 2
    assert answer.json["error"].startswith("6 results match, and --run needs one")
    assert f"closed/{trees.SUBMITTER}/{trees.SYSTEM}/ssd-mobilenet/Offline" in answer.json["error"]
    nothing = reproduce(ck, made, "--system=T5")
    assert nothing.code == 16
    assert f"{trees.SYSTEM}/ssd-resnet34/SingleStream" in nothing.json["error"]


@pytest.fixture
def mine() -> str:
    """The figures of an own run."""
    results = {
        "model": "model-ssd-mobilenet-onnx", "scenario": "offline", "accuracy": {"mAP": 0.23},
        "performance": {"valid": True, "samples_per_second": 100.0, "latency_ms": {"p99": 5.0}},
    }  # fmt: skip
    meta = {"tags": ["experiment"], "results": results, "model": {"model": {"benchmark": "ssd-mobilenet"}}}
    create_entry(Repositories().writable(), "experiment", "mine", meta)
    faster = {**results, "performance": {**results["performance"], "samples_per_second": 150.0}}  # type: ignore[dict-item]
    create_entry(Repositories().writable(), "experiment", "faster", {**meta, "results": faster})
    return "experiment:mine"


def test_run_next_to_published_results_of_same_model_and_scenario(ck: Ck, made: Submissions, mine: str) -> None:
    assert ck("compare", mine, "--published").code == 16  # not known yet
    ck("import", "results", f"--path={made.table}")
    rows = ck("compare", mine, "--published", "--out=json").json["published"]
    assert {row["scenario"] for row in rows} == {"Offline"}
    assert {row["model"] for row in rows} == {"ssd-mobilenet", "ssd-small"}
    assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)
    f1 = next(row for row in rows if row["system"] == trees.SYSTEM)
    assert f1["speed"] == pytest.approx(58.2147)  # 5821.47 to 100


def test_experiments_side_by_side(ck: Ck, made: Submissions, mine: str) -> None:
    ck("import", "submission", f"--path={made.root}")
    published = f"experiment:closed-{trees.SUBMITTER}-{trees.SYSTEM}-ssd-mobilenet-Offline"
    rows = ck("compare", mine, "experiment:faster", published, "--out=json").json["rows"]
    assert rows["performance"] == ["100 samples/s", "150 samples/s", "5821.47 samples/s"]
    assert rows["speed relative to the first"] == ["1.000", "1.500", "58.215"]
    assert rows["mAP"] == ["0.23000", "0.23000", "0.23125"]
    assert rows["accelerator"][2] == "Example F1"
    assert ck("compare", mine).code == 2
    assert ck("compare", mine, "experiment:none").code == 16
    assert ck("compare", mine, "experiment:faster", "--published").code == 2


def test_compare_shows_differences_or_everything(ck: Ck, mine: str) -> None:
    few, all_of_it = ck("compare", mine, "experiment:faster").out, ck("compare", mine, "experiment:faster", "--all").out
    assert "performance" in few
    assert "LoadGen" not in few
    assert "LoadGen" in all_of_it
    assert "--all shows them" in few

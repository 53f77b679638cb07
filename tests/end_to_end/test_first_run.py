"""The main workflow, as a new user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from end_to_end.installed import Ck
from patience import until_valid

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]
MODE_FILES = {
    "mlperf_log_summary.txt",
    "mlperf_log_detail.txt",
    "mlperf_log_accuracy.json",
    "mlperf.conf",
    "user.conf",
}


def test_default_run_installs_runs_scores_and_records(fresh_ck: Ck) -> None:
    answer = fresh_ck.good("run", "program:object-detection")
    results = answer["results"]
    assert results["accuracy"]["mAP"] > 0.5
    assert results["performance"]["valid"] is True
    assert results["performance"]["samples_per_second"] > 0
    assert (results["scenario"], results["images"], results["loadgen_version"]) == ("offline", 200, "4.1.30")
    folder = Path(answer["path"])
    assert {"spec.json", "results.json", "stdout.log", "stderr.log"} <= {path.name for path in folder.iterdir()}
    for mode in ("accuracy", "performance"):
        assert {path.name for path in (folder / mode).iterdir()} >= MODE_FILES
    assert (folder / "accuracy/accuracy.txt").read_text().count("mAP=") == 1
    shown = fresh_ck.text("show", "experiment")
    assert f"mAP {results['accuracy']['mAP']:.4f}" in shown
    meta = fresh_ck.good("load", f"experiment:{answer['experiment']['uid']}")["dict"]
    assert meta["venv"]["packages"]["mlcommons-loadgen"] == "4.1.30"
    assert len(meta["model"]["digest"]) == 64
    assert meta["platform"]["cpu"]
    assert fresh_ck.text("find", "experiment", "--tags=offline,demo,-server", status=16) == ""  # no run has the tag demo
    assert fresh_ck.text("find", "experiment", "--tags=offline,-server").strip() == str(folder)


def test_second_run_installs_nothing(shared_ck: Ck) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (shared_ck.home / "CK-TOOLS").iterdir()}
    process = shared_ck.start("run", "program:object-detection", "--mode=accuracy", "--count=8")
    _, errors = process.communicate()
    assert process.returncode == 0
    assert "installing" not in errors
    assert {path.name: path.stat().st_mtime_ns for path in (shared_ck.home / "CK-TOOLS").iterdir()} == before


def test_sharded_accuracy_run_has_the_log_of_one_run(shared_ck: Ck) -> None:
    options = ("--mode=accuracy", "--count=24", "--threads=1", "--sessions=1", "--batch-size=2")
    whole = shared_ck.good("run", "program:object-detection", *options)
    shards = shared_ck.good("run", "program:object-detection", *options, "--shards=2")
    log = "accuracy/mlperf_log_accuracy.json"
    assert (Path(shards["path"]) / log).read_bytes() == (Path(whole["path"]) / log).read_bytes()
    assert shards["results"]["accuracy"] == whole["results"]["accuracy"]


def test_dry_run_and_explain_change_nothing(fresh_ck: Ck) -> None:
    plan = fresh_ck.good("run", "program:object-detection", "--dry-run")["plan"]
    assert {row["package"] for row in plan} >= {"model-demo-ssd", "dataset-demo-shapes", "lib-loadgen"}
    text = fresh_ck.text("explain", "program:object-detection")
    assert "because" in text
    assert not (fresh_ck.home / "CK/local/venv").exists()
    assert not (fresh_ck.home / "CK-TOOLS").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--scenario=singlestream", "--time=3", "--threads=1"),
        (
            "--scenario=multistream",
            "--time=10",  # LoadGen requires 662 queries for its 99th percentile
            "--samples-per-query=2",
            "--target-latency=500",
            "--sessions=2",
            "--batch-size=1",
        ),
        ("--scenario=server", "--time=5", "--target-qps=100", "--target-latency=500", "--sessions=2", "--batch-size=4"),
        ("--scenario=offline", "--time=2"),
        ("--cmd_key=performance-offline", "--env.EXTRA_OPS=--time 2 --count 50"),
        ("--env.CK_LOADGEN_SCENARIO=SingleStream", "--env.CK_LOADGEN_MODE=PerformanceOnly", "--time=3", "--threads=1"),
    ],
)
def test_every_scenario_is_valid(shared_ck: Ck, options: tuple[str, ...]) -> None:
    mode = () if any("cmd_key" in word or "LOADGEN_MODE" in word for word in options) else ("--mode=performance",)
    results = until_valid(
        lambda: shared_ck.good("run", "program:object-detection", *mode, *options)["results"],
        lambda found: found["performance"]["valid"],
    )
    assert results["performance"]["valid"] is True, results["performance"]
    assert results["performance"]["errors"] == 0
    assert "accuracy" not in results


def test_experiment_names_tags_and_repositories(shared_ck: Ck) -> None:
    shared_ck.good("add", "repo:my-experiments")
    shared_ck.good(
        "benchmark", "program:object-detection", "--mode=accuracy", "--count=8", "--record", "--record_repo=my-experiments",
        "--record_uoa=mlperf-result1", "--tags=mlperf-v1.0,mine", "--repetitions=1", "--print_files=accuracy.txt",
    )  # fmt: skip
    assert shared_ck.text("search", "experiment", "--tags=mine").strip() == "my-experiments:experiment:mlperf-result1"
    taken = shared_ck.json(
        "run", "program:object-detection", "--mode=accuracy", "--count=8", "--record=mlperf-result1",
        "--record_repo=my-experiments",
    )  # fmt: skip
    assert "already exists" in taken["error"]
    shared_ck.good("zip", "experiment:mlperf-result1", "--archive_name=result.zip")
    shared_ck.good("rm", "experiment:mlperf-result1")
    assert shared_ck.json("show", "experiment:mlperf-result1")["return"] == 16
    shared_ck.good("unzip", "experiment", "--zip=result.zip")
    assert "mlperf-result1" in shared_ck.text("ls", "experiment")


def test_packages_and_env_commands(shared_ck: Ck) -> None:
    assert "onnxruntime" in shared_ck.text("show", "env")
    folder = Path(shared_ck.text("locate", "env", "--tags=dataset,demo").strip())
    assert len(list((folder / "val2017").iterdir())) == 200
    meta = json.loads(shared_ck.text("load", "env", "--tags=model,demo"))
    assert meta["component"]["alias"] == "model-demo-ssd"
    again = shared_ck.text("install", "package", "--tags=dataset,demo")
    assert "already installed" in again
    shared_ck.good("install", "package", "--tags=lib,python-package,onnxruntime-cpu")
    old = shared_ck.json("install", "package", "--tags=lib,python-package,onnxruntime-cpu,1.6.0")
    assert "onnxruntime==1.6.0 cannot be installed" in old["error"]
    shared_ck.good("rm", "env", "--tags=model,demo")
    assert shared_ck.json("locate", "env", "--tags=model,demo")["return"] == 16
    shared_ck.good("install", "package", "--tags=model,demo")


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (("--model=no-such-model",), 16, "no-such-model"),
        (("--target-qps=0", "--scenario=server"), 2, "more than 0"),
        (("--target-qps=fast", "--scenario=server"), 2, "not a number"),
        (("--scenario=offine",), 2, "did you mean offline"),
        (("--modle=demo",), 16, "did you mean --mode or --model"),
        (("--backend=onnx",), 2, "onnxruntime"),
        (("--device=cuda", "--mode=accuracy"), 7, "--device=cuda cannot be used"),
        (("--env.CK_LODGEN_MODE=x",), 16, "CK_LOADGEN_MODE"),
    ],
)
def test_bad_options_are_reported(shared_ck: Ck, words: tuple[str, ...], status: int, part: str) -> None:
    answer = shared_ck.json("run", "program:object-detection", *words)
    assert answer["return"] == status
    assert part in answer["error"]

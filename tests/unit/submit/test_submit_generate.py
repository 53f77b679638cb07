"""Generated trees: results that are skipped or moved in each round, and inferred results."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import round_trees
from loadgen_logs import IMAGES, accuracy_log

from ck_repo.rounds.round import load_round
from ck_repo.store.repositories import Repositories, default_repository_alias
from ck_repo.store.search import load
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]
ROUNDS = [name for name in round_trees.ROUNDS if load_round(name).text_log is None]  # LoadGen 4.1.30 writes no text logs


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """The description of an edge system."""
    path = tmp_path / "box.json"
    target = round_trees.Target("closed", "box", "edge", "ssd-small", "Offline", "Offline")
    path.write_text(json.dumps(round_trees._description(target)))
    return path


def record(name: str, scenario: str, *, valid: bool = True) -> str:
    """An experiment with the logs of a run of the small model."""
    round_ = load_round(name)
    run = round_trees._run(round_, round_trees.Target("closed", "box", "edge", "ssd-small", scenario, scenario))
    results = {
        "model": "m", "dataset": "d", "images": 5000, "backend": "onnxruntime", "device": "cpu", "scenario": scenario.lower(),
        "accuracy": {"mAP": 0.23}, "performance": {"valid": valid},
    }  # fmt: skip
    model = {  # one of the round's models, as installed from its package
        "model": {"benchmark": "ssd-mobilenet", "row": 1}, "file": "m.onnx", "source": "package",
        "component": {"repository": default_repository_alias(), "alias": "model-ssd-mobilenet-onnx"},
    }  # fmt: skip
    meta = {
        "tags": ["experiment"], "options": {"round": name}, "results": results,
        "model": model, "dataset": {"tags": ["dataset", "coco", "2017", "val"]}, "recorded": "2026-11-24T10:00:00Z",
    }  # fmt: skip
    entry = create_entry(Repositories().writable(), "experiment", f"run-{name}-{scenario.lower()}", meta)
    round_trees._logs(round_, replace(run, valid=valid), entry.path / "performance")
    round_trees._logs(round_, replace(run, mode="AccuracyOnly"), entry.path / "accuracy")
    (entry.path / "accuracy/mlperf_log_accuracy.json").write_bytes(accuracy_log(IMAGES))
    (entry.path / "accuracy/accuracy.txt").write_text("mAP=23.125%\n")
    for file in ("mlperf.conf", "user.conf"):
        (entry.path / "performance" / file).write_text("# made\n")
    return entry.alias


def generate(ck: Ck, name: str, box: Path, tmp_path: Path, *words: str) -> Any:
    given = (f"--round={name}", f"--system={box}", "--submitter=Us", f"--output={tmp_path / 'tree'}", *words, "--out=json")
    return ck("generate", "submission", *given)


def places(answer: Any) -> dict[str, str]:
    return {f"{row['division']} {row['scenario']}": row["status"] for row in answer.json["results"]}


@pytest.mark.parametrize("name", ROUNDS)
def test_our_tree_is_accepted_by_the_checker_of_its_round(ck: Ck, name: str, box: Path, tmp_path: Path) -> None:
    required = load_round(name).submission.scenarios["edge"]["ssd-mobilenet"].required
    for scenario in required:
        record(name, scenario)
    answer = generate(ck, name, box, tmp_path, "--division=closed")
    assert places(answer) == {f"closed {scenario}": "accepted" for scenario in required}
    checked = ck("check", "submission", f"--path={tmp_path / 'tree'}", f"--round={name}", "--as-official", "--out=json")
    assert checked.code == 0
    assert {row["status"] for row in checked.json["results"]} == {"accepted"}
    assert checked.json["folders_without_results"] == []
    logs = list((tmp_path / "tree").rglob("accuracy/mlperf_log_accuracy.json"))
    assert logs
    assert all(path.stat().st_size <= 10240 for path in logs)


def test_rejected_results_are_left_out_by_name(ck: Ck, box: Path, tmp_path: Path) -> None:
    record("v1.0", "Offline", valid=False)
    record("v1.0", "SingleStream")
    answer = generate(ck, "v1.0", box, tmp_path, "--division=open")
    assert places(answer) == {"open SingleStream": "accepted"}
    (left,) = answer.json["left"]
    assert left["result"] == "ssd-mobilenet offline (experiment:run-v1.0-offline)"
    assert (left["moved_to"], "INVALID" in left["why"][0]) == ("", True)
    assert not list((tmp_path / "tree").rglob("Offline*"))


def test_links_left_by_meter_are_not_followed(ck: Ck, box: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a key")
    record("v1.0", "SingleStream")
    folder = load(Repositories(), "experiment", "run-v1.0-singlestream").path / "performance/power"
    (folder / "raw").mkdir(parents=True)
    (folder / "client.json").write_text("{}")
    (folder / "raw/meter.log").write_text("230 V")
    (folder / "server.json").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    generate(ck, "v1.0", box, tmp_path, "--division=open", "--draft")
    copied = next((tmp_path / "tree").rglob("performance/power"))
    assert sorted(path.relative_to(copied).as_posix() for path in copied.rglob("*")) == ["client.json", "raw", "raw/meter.log"]


def test_result_with_invalid_required_scenario_moves_to_open_division(ck: Ck, box: Path, tmp_path: Path) -> None:
    record("v1.0", "Offline", valid=False)
    record("v1.0", "SingleStream")
    answer = generate(ck, "v1.0", box, tmp_path, "--division=closed", "--fallback-open")
    assert places(answer) == {"open SingleStream": "accepted"}
    moved = {row["result"].split()[1]: row["moved_to"] for row in answer.json["left"] if row["moved_to"]}
    assert moved == {"offline": "open", "singlestream": "open"}
    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["open"]
    assert json.loads((tmp_path / "tree/open/Us/systems/box.json").read_text())["division"] == "open"


def test_nothing_remains_of_rejected_results(ck: Ck, box: Path, tmp_path: Path) -> None:
    record("v1.0", "Offline", valid=False)
    answer = generate(ck, "v1.0", box, tmp_path)
    assert (answer.code, "1 of 1 results would be rejected" in answer.json["error"]) == (10, True)
    assert not (tmp_path / "tree").exists()
    draft = generate(ck, "v1.0", box, tmp_path, "--draft")
    assert places(draft) == {"open Offline": "rejected"}


@pytest.mark.parametrize(("name", "inferred"), [("v1.0", {"Offline"}), ("v2.0", {"Offline", "MultiStream"})])
def test_scenarios_are_inferred_where_round_allows_it(ck: Ck, name: str, inferred: set[str], box: Path, tmp_path: Path) -> None:
    record(name, "SingleStream")
    answer = generate(ck, name, box, tmp_path, "--division=closed", "--infer")
    assert {row["scenario"] for row in answer.json["results"] if row["inferred"]} == inferred
    assert set(places(answer).values()) == {"accepted"}

"""Which models and data sets belong to the round, and how closed trees and comparisons treat all others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.experiments.meta import read_meta
from ck_repo.experiments.round_subject import differences
from ck_repo.rounds.round import load_round
from ck_repo.store.repositories import Repositories, default_repository_alias
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]  # the fixture `ck`
OURS = {"repository": default_repository_alias(), "alias": "model-ssd-mobilenet-tf"}
MODEL = {"source": "package", "component": OURS, "model": {"benchmark": "ssd-mobilenet", "row": 1}}
DATASET = {"tags": ["dataset", "coco", "2017", "val", "full"]}


def _meta(model: Any = MODEL, dataset: Any = DATASET, images: int = 5000) -> dict[str, Any]:
    results = {
        "model": "m", "dataset": "d", "images": images, "backend": "onnxruntime", "device": "cpu", "scenario": "offline",
        "accuracy": {"mAP": 0.23}, "performance": {"valid": True, "samples_per_second": 100.0},
    }  # fmt: skip
    return {"tags": ["experiment"], "results": results, "model": model, "dataset": dataset}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"dataset": {"tags": ["dataset", "preprocessed", "coco.2017"]}}, []),
        ({"images": 500}, ["500 images of COCO 2017 validation were used, and the round uses 4952 with annotations"]),
        ({"dataset": {"tags": ["dataset", "mine"]}}, ["d is not COCO 2017 validation, the round's data set"]),
        ({"model": {**MODEL, "source": "registered"}}, ["m is not one of the round's models"]),
        ({"model": {**MODEL, "model": {"benchmark": "ssd-mobilenet"}}}, ["m is not one of the round's models"]),
        ({"model": {**MODEL, "component": {"repository": "theirs"}}}, ["m is not one of the round's models"]),
    ],
)
def test_difference_from_published_results(changes: dict[str, Any], said: list[str]) -> None:
    assert differences(read_meta(_meta(**changes), "test"), load_round()) == said


@pytest.mark.parametrize(
    ("division", "expected"), [("closed", []), ("open", ["results of the open division may use other models and data"])]
)
def test_published_result_was_checked_by_its_round(division: str, expected: list[str]) -> None:
    row = {"division": division, "submitter": "S", "system": "s", "model": "ssd-mobilenet", "scenario": "Offline"}
    assert differences(read_meta({"tags": ["experiment"], "published": row}, "test"), load_round()) == expected


def test_other_models_are_marked_not_comparable(ck: Ck, made: Any) -> None:
    ck("import", "results", f"--path={made.table}")
    create_entry(Repositories().writable(), "experiment", "mine", _meta({**MODEL, "source": "registered"}))
    create_entry(Repositories().writable(), "experiment", "rounds", _meta())
    assert "note: not comparable: m is not one of the round's models" in ck("compare", "experiment:mine", "--published").out
    assert "note:" not in ck("compare", "experiment:rounds", "--published").out


def test_closed_tree_of_another_data_set_is_rejected(ck: Ck, tmp_path: Path) -> None:
    (tmp_path / "box.json").write_text("{}")
    create_entry(Repositories().writable(), "experiment", "mine", _meta(dataset={"tags": ["mine"]}))
    words = ["generate", "submission", "--submitter=Us", f"--system={tmp_path / 'box.json'}", f"--output={tmp_path / 'tree'}"]
    done = ck(*words, "--division=closed")
    assert done.code == 10
    assert "experiment:mine: d is not COCO 2017 validation" in done.err
    assert "--division=open" in done.err
    assert not (tmp_path / "tree").exists()

"""`ck ls experiment`: columns, order, limit, width, and messages when nothing matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]  # the fixture `ck`


@pytest.fixture
def three(ck: Ck) -> None:
    """Runs of two models; the second is the fastest."""
    for number, (model, rate, precision) in enumerate([("a", 10.0, "fp32"), ("b", 30.0, "int8"), ("a", 20.0, "fp32")], 1):
        results = {
            "model": model, "dataset": "birds", "images": 40 * number, "backend": "onnxruntime", "scenario": "offline",
            "accuracy": {"mAP": 0.1 * number}, "performance": {"valid": True, "samples_per_second": rate},
        }  # fmt: skip
        meta = {"tags": ["experiment", model], "results": results, "model": {"model": {"precision": precision}},
                "recorded": f"2026-11-2{number}T10:00:00Z"}  # fmt: skip
        create_entry(Repositories().writable(), "experiment", f"run{number}", meta)


def _names(done: Any) -> list[str]:
    return [line.split()[0] for line in done.out.splitlines()[2:]]


def test_list_shows_measured_runs(ck: Ck, three: None) -> None:
    header, _, first, *_ = ck("ls", "experiment").out.splitlines()
    assert " ".join(header.split()) == "experiment model data set images backend precision scenario mAP performance recorded"
    assert " ".join(first.split()) == "run1 a birds 40 onnxruntime fp32 offline 0.1000 10.0 samples/s 2026-11-21 10:00"
    row = ck("ls", "experiment", "--out=json").json["lst"][1]["overview"]
    assert (row["precision"], row["images"], row["value"]) == ("int8", 80, 30.0)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["run1", "run2", "run3"]),
        (["--limit=2"], ["run2", "run3"]),
        (["--sort=-performance"], ["run2", "run3", "run1"]),
        (["--sort=performance", "--limit=1"], ["run1"]),
        (["--sort=model"], ["run1", "run3", "run2"]),
        (["--sort=-mAP", "--tags=a"], ["run3", "run1"]),
    ],
)
def test_order_and_limit(ck: Ck, three: None, words: list[str], names: list[str]) -> None:
    assert _names(ck("ls", "experiment", *words)) == names


def test_mismatches_are_reported(ck: Ck, three: None) -> None:
    assert ck("ls", "experiment", "--tags=x").out == "none of 3 experiments has the tag x\n"
    assert ck("ls", "experiment:z*").out == "none of 3 experiments matches z*\n"
    assert ck("ls", "experiment", "--sort=mapp").code == 2
    assert "did you mean" in ck("ls", "experiment", "--sort=perform").err

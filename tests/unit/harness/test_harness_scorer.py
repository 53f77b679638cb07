"""Both scorers give the same figures, and a run records which one it used."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("pycocotools")

import numpy as np
from object_detection import scorer
from object_detection.accuracy import by_class, evaluate
from object_detection.datasets.coco_format import CocoAnnotation, CocoData, CocoResult
from object_detection.errors import HarnessError

needs_faster = pytest.mark.skipif(not scorer._version(scorer.FASTER), reason="faster-coco-eval is not installed")
SCORERS = [scorer.PYCOCOTOOLS, pytest.param(scorer.FASTER, marks=needs_faster)]
SIZES = ((9, 9), (25, 40), (60, 80), (200, 150))


def street(chance: random.Random) -> tuple[CocoData, list[CocoResult]]:
    """Objects of all sizes, crowds, two categories without objects, and detections near them, many with equal scores."""
    objects: list[CocoAnnotation] = []
    found: list[CocoResult] = []
    for image in range(1, 41):
        for _ in range(chance.randint(0, 7)):
            wide, high = chance.choice(SIZES)
            box: list[float] = [chance.uniform(0, 400), chance.uniform(0, 300), wide, high]
            crowd, kind = int(chance.random() < 0.2), chance.randint(1, 5)
            objects.append({"id": len(objects) + 1, "image_id": image, "category_id": kind, "bbox": box,
                            "area": wide * high * chance.choice([1, 0.5]), "iscrowd": crowd})  # fmt: skip
            for _ in range(chance.randint(0, 5)):
                near = [value + chance.choice([0, 0, 3, -4, 8]) for value in box]
                score = chance.choice([0.5, 0.5, chance.random()])
                found.append(result(image, chance.choice([kind, kind, kind, 6]), near, score))
    return content(40, objects, 7), found


def crowded(chance: random.Random) -> tuple[CocoData, list[CocoResult]]:
    """More than a hundred detections per image and category, of which COCO keeps the best; equally overlapping objects."""
    objects: list[CocoAnnotation] = []
    found: list[CocoResult] = []
    for image in range(1, 7):
        for number in range(20):
            box: list[float] = [10 * number, 20, 40, 40]
            objects.append({"id": len(objects) + 1, "image_id": image, "category_id": 1 + number % 2, "bbox": box,
                            "area": 1600, "iscrowd": int(number == 7)})  # fmt: skip
        for number in range(260):
            found.append(result(image, 1 + number % 2, [chance.randint(0, 40) * 5, 20, 40, 40], chance.randint(1, 20) / 20))
    return content(6, objects, 2), found


def strange(chance: random.Random) -> tuple[CocoData, list[CocoResult]]:
    """Images with only crowds, images without objects, a category with one object, and boxes without extent."""
    objects: list[CocoAnnotation] = [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [5, 5, 50, 50], "area": 2500, "iscrowd": 1},
        {"id": 2, "image_id": 2, "category_id": 90, "bbox": [5, 5, 50, 50], "area": 2500, "iscrowd": 0},
        {"id": 3, "image_id": 3, "category_id": 3, "bbox": [0, 0, 0, 0], "area": 0, "iscrowd": 0},
        {"id": 4, "image_id": 3, "category_id": 3, "bbox": [30, 30, 32, 32], "area": 1024, "iscrowd": 0},
    ]
    found = [result(image, kind, [5, 5, chance.choice([50, 40]), 50], 0.5) for image in (1, 2, 3, 4) for kind in (3, 90, 91)]
    found += [result(3, 3, [0, 0, 0, 0], 0.9), result(3, 3, [30, 30, 32, 32], 0.0), result(3, 3, [30, 30, 32, 32], 1.0)]
    made = content(4, objects, 0)
    made["categories"] = [{"id": kind, "name": f"kind {kind}"} for kind in (3, 90, 91)]
    return made, found


def result(image: int, kind: int, box: list[float], score: float) -> CocoResult:
    return {"image_id": image, "category_id": kind, "bbox": box, "score": score}


def content(images: int, objects: list[CocoAnnotation], kinds: int) -> CocoData:
    return {
        "info": {},
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": 640, "height": 480} for number in range(1, images + 1)
        ],
        "annotations": objects,
        "categories": [{"id": number, "name": f"kind {number}"} for number in range(1, kinds + 1)],
    }


@needs_faster
@pytest.mark.parametrize("made", [street, crowded, strange])
@pytest.mark.parametrize("seed", [1, 2])
def test_figures_match_pycocotools(made: Callable[..., Any], seed: int) -> None:
    annotations, found = made(random.Random(seed))
    ids = [row["id"] for row in annotations["images"]]
    exact, fast = (evaluate(annotations, found, ids, name) for name in (scorer.PYCOCOTOOLS, scorer.FASTER))
    assert fast[0] == pytest.approx(exact[0], abs=1e-12)
    assert fast[1] == exact[1]
    judges = [scorer.accumulated(name, annotations, found, ids)[0] for name in (scorer.PYCOCOTOOLS, scorer.FASTER)]
    for key in ("precision", "recall"):
        np.testing.assert_allclose(judges[1].eval[key], judges[0].eval[key], rtol=0, atol=1e-12)
    classes = [
        {row["name"]: (row["AP"], row["AP50"]) for row in by_class(judge, annotations["categories"])} for judge in judges
    ]
    assert classes[0]
    assert set(classes[0]) == set(classes[1])
    for name, figures in classes[0].items():
        assert classes[1][name] == pytest.approx(figures, abs=1e-12)


@needs_faster
def test_unseen_images_do_not_count() -> None:
    annotations, found = street(random.Random(5))
    some = [row["id"] for row in annotations["images"]][::3]
    figures = [evaluate(annotations, found, some, name)[0] for name in (scorer.PYCOCOTOOLS, scorer.FASTER)]
    assert figures[0] == pytest.approx(figures[1], abs=1e-12)
    assert figures[0] != evaluate(annotations, found, [row["id"] for row in annotations["images"]])[0]


def test_scoring_does_not_change_results() -> None:
    annotations, found = street(random.Random(6))
    before = [row.copy() for row in found]
    evaluate(annotations, found, [1, 2, 3])
    assert found == before


def test_official_run_is_scored_by_pycocotools() -> None:
    assert scorer.chosen("auto", True) == scorer.PYCOCOTOOLS


@pytest.mark.parametrize("missing", [True, False])
def test_fast_scorer_is_used_where_installed(monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    monkeypatch.setattr(scorer, "_version", lambda name: "" if missing and name == scorer.FASTER else "1.0")
    assert scorer.chosen("auto", False) == (scorer.PYCOCOTOOLS if missing else scorer.FASTER)
    assert scorer.chosen("pycocotools", False) == scorer.PYCOCOTOOLS


def test_missing_scorer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "_version", lambda name: "")
    with pytest.raises(HarnessError, match="faster-coco-eval is not installed") as caught:
        scorer.chosen("faster-coco-eval", False)
    assert "ck install package --tags=lib,python-package,faster-coco-eval" in caught.value.hint


@pytest.mark.parametrize("name", SCORERS)
def test_run_records_its_scorer(harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], name: str) -> None:
    found = harness(spec_for("offline", "accuracy", scorer=name)).results["accuracy"]
    assert found["scorer"] == f"{name} {version(name)}"
    assert found["mAP"] > 0.1

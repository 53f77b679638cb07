"""The shortcuts for COCOeval change nothing: crowds, sizes, equal scores and equal overlaps included."""

from __future__ import annotations

import contextlib
import io
import json
import random
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ck_repo.report.coco_judge import Judge


def made(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Images of 640 × 480 with objects of all sizes, and detections, many of them near an object or equal."""
    chance = random.Random(seed)
    images = [{"id": number} for number in range(1, 21)]
    objects: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image in images:
        for _ in range(chance.randint(0, 6)):
            w, h = chance.choice([(12, 12), (40, 30), (200, 150)])
            box = [chance.randint(0, 300), chance.randint(0, 300), w, h]
            crowd = int(chance.random() < 0.15)
            kind = chance.randint(1, 4)
            objects.append({"id": len(objects) + 1, "image_id": image["id"], "category_id": kind, "bbox": box,
                            "area": w * h * chance.choice([1, 0.6]), "iscrowd": crowd})  # fmt: skip
            for _ in range(chance.randint(0, 4)):
                near = [value + chance.choice([0, 0, 1, -2, 5]) for value in box]
                found.append({"image_id": image["id"], "category_id": chance.choice([kind, kind, 1]), "bbox": near,
                              "score": chance.choice([0.5, 0.9, chance.random()])})  # fmt: skip
        for _ in range(chance.randint(0, 130) if image["id"] == 3 else 3):
            box = [chance.randint(0, 500), chance.randint(0, 400), chance.randint(1, 150), chance.randint(1, 150)]
            found.append({"image_id": image["id"], "category_id": chance.randint(1, 5), "bbox": box, "score": chance.random()})
    categories = [{"id": number, "name": str(number)} for number in range(1, 6)]
    return {"images": images, "annotations": objects, "categories": categories}, found


def judged(kind: Any, content: dict[str, Any], found: list[dict[str, Any]]) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(content))
        truth.createIndex()
        judge = kind(truth, truth.loadRes(json.loads(json.dumps(found))), iouType="bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge


@pytest.mark.parametrize("seed", range(12))
def test_figures_and_matches_are_those_of_cocoeval(seed: int) -> None:
    content, found = made(seed)
    ours, theirs = judged(Judge, content, found), judged(COCOeval, content, found)
    for key in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(ours.eval[key], theirs.eval[key])
    np.testing.assert_array_equal(ours.stats, theirs.stats)
    for mine, its in zip(ours.evalImgs, theirs.evalImgs, strict=True):
        assert (mine is None) == (its is None)
        if mine is None:
            continue
        assert mine["dtIds"] == its["dtIds"]
        assert mine["gtIds"] == its["gtIds"]
        for key in ("dtMatches", "gtMatches", "dtIgnore", "gtIgnore"):
            np.testing.assert_array_equal(np.asarray(mine[key], dtype=float), np.asarray(its[key], dtype=float))

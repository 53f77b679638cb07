"""Scoring a log of 5,000 images with 100 detections each: ``python scoring.py WHAT ROUNDS IMAGES``; prints JSON.

WHAT is ``score``, from the arrays of a log to COCO's twelve metrics, compared with faster-coco-eval on an array; or ``log``,
reading the log, compared with JSON and ``bytes.fromhex``. Times are CPU times, which other processes affect less. Runs in the
venv of the benchmark.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from object_detection import scorer
from object_detection.accuracy import as_coco, evaluate
from object_detection.annotations import ImageList
from object_detection.datasets.truth import Boxes, Category, Image, Truth
from object_detection.detections_file import write_detections
from object_detection.logs import Found, read_answers

_WIDTH, _HEIGHT, _KINDS, _DETECTIONS = 640, 480, 80, 100


def made(images: int) -> tuple[ImageList, Found]:
    """Images with up to 14 objects, a few of them crowds; a third of the detections is near an object."""
    chance = np.random.default_rng(1)
    boxes = Boxes()
    found: Found = {}
    for image in range(images):
        count = int(chance.integers(0, 15))
        corners = np.column_stack([chance.uniform(0, 0.6, (count, 2)), chance.uniform(0.02, 0.4, (count, 2))])
        kinds = chance.integers(0, _KINDS - 2, count)
        for (x, y, w, h), kind in zip(corners.tolist(), kinds.tolist(), strict=True):
            box = (x * _WIDTH, y * _HEIGHT, w * _WIDTH, h * _HEIGHT)
            boxes.add(image, kind, box, 0.7 * box[2] * box[3], int(chance.random() < 0.03))
        places = np.column_stack([chance.uniform(0, 0.6, (_DETECTIONS, 2)), chance.uniform(0.02, 0.4, (_DETECTIONS, 2))])
        classes = chance.integers(0, _KINDS, _DETECTIONS)
        scores = chance.uniform(0, 0.3, _DETECTIONS)
        near = min(_DETECTIONS, 3 * count)
        if near:
            at = np.arange(near) % count
            places[:near] = corners[at] * chance.normal(1, 0.06, (near, 4))
            classes[:near] = np.where(chance.random(near) < 0.85, kinds[at], classes[:near])
            scores[:near] = np.round(chance.uniform(0.05, 1, near), 2)  # with ties
        x, y, w, h = places.T
        found[image] = np.column_stack([y, x, y + h, x + w, scores, classes + 1]).astype(np.float32)
    listed = tuple(Image(number, number, f"{number}.jpg", _WIDTH, _HEIGHT) for number in range(1, images + 1))
    truth = Truth(listed, tuple(Category(kind, kind, f"kind {kind}") for kind in range(1, _KINDS + 1)), boxes)
    sizes = ((_WIDTH, _HEIGHT),) * images
    ids = tuple(row.id for row in listed)
    return ImageList(ids, (), sizes, tuple(range(1, _KINDS + 1)), tuple(range(images)), truth), found


def write_log(found: Found, path: Path) -> None:
    """A log as LoadGen writes it."""
    rows = []
    for index, boxes in found.items():
        data = np.column_stack([np.full(len(boxes), index, np.float32), boxes]).astype("<f4").tobytes().hex().upper()
        rows.append(f'{{ "seq_id" : {index}, "qsl_idx" : {index}, "data" : "{data}" }}')
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="ascii")


def bare(annotations: Mapping[str, Any], table: np.ndarray) -> Any:
    """faster-coco-eval on an array of image, x, y, width, height, score, category."""
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO()
    truth.dataset = annotations
    truth.createIndex()
    judge = COCOeval_faster(truth, truth.loadRes(table), iouType="bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return judge


def seconds(work: Callable[[], object]) -> float:
    """CPU time of the work, s."""
    began = time.process_time()
    work()
    return time.process_time() - began


def score(rounds: int, images: int) -> dict[str, float]:
    """CPU seconds of our scoring with each scorer, of faster-coco-eval alone, and of writing detections.json."""
    listed, found = made(images)
    annotations = listed.truth.as_coco()
    rows = as_coco(found, listed, "category")
    table = np.array([[row["image_id"], *row["bbox"], row["score"], row["category_id"]] for row in rows])

    def ours(using: str) -> dict[str, float]:
        return evaluate(annotations, as_coco(found, listed, "category"), list(listed.ids), using)[0]

    taken: dict[str, list[float]] = {"ours": [], "bare": [], "written": []}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(rounds):
            taken["ours"].append(seconds(lambda: ours(scorer.FASTER)))
            taken["bare"].append(seconds(lambda: bare(annotations, table)))
            taken["written"].append(seconds(lambda: write_detections(listed, rows, Path(scratch) / "detections.json")))
    exact: dict[str, float] = {}
    slow = seconds(lambda: exact.update(ours(scorer.PYCOCOTOOLS)))
    gap = max(abs(value - exact[name]) for name, value in ours(scorer.FASTER).items())
    return {name: statistics.median(row) for name, row in taken.items()} | {"pycocotools": slow, "gap": gap}


def log(rounds: int, images: int) -> dict[str, float]:
    """CPU seconds of reading a log, ours and plain, and its size, bytes."""
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "mlperf_log_accuracy.json"
        write_log(made(images)[1], path)
        for _ in range(rounds):
            taken["ours"].append(seconds(lambda: read_answers(path)))
            taken["bare"].append(seconds(lambda: [bytes.fromhex(row["data"]) for row in json.loads(path.read_bytes())]))
        size = path.stat().st_size
    return {name: statistics.median(row) for name, row in taken.items()} | {"size": size}


def main() -> None:
    measures = {"score": score, "log": log}
    print(json.dumps(measures[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))))


if __name__ == "__main__":
    main()

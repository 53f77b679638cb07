"""Scoring accuracy logs: the reference's logs get the reference's figures, and invalid logs are reported."""

from __future__ import annotations

import hashlib
import json
import random
import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import coco_sets
import pytest

pytest.importorskip("numpy")
pytest.importorskip("pycocotools")

import numpy as np
from object_detection.accuracy import as_coco, score
from object_detection.annotations import ImageList, read_images
from object_detection.contract.record import write
from object_detection.detections_file import write_detections
from object_detection.errors import HarnessError
from object_detection.logs import read_answers
from object_detection.spec import Spec, read_spec
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ck_repo.errors import RunError
from ck_repo.run.harness import rescore

PROGRAM = Path(__file__).resolve().parents[3] / "program/object-detection"
# mAP that the v1.0.1 reference harness reported on these logs
REFERENCE = {"fp32": 0.23982, "int8": 0.23871}


@dataclass(frozen=True)
class Scorer:
    """A spec, its images, and a folder for logs."""

    spec: Spec
    images: ImageList
    folder: Path

    def write(self, rows: object) -> Path:
        path = self.folder / "log.json"
        path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
        return path

    def score(self, log: Path) -> dict[str, Any]:
        return write(score(self.spec, self.images, log, self.folder / "accuracy.txt"))


def scorer(folder: Path, content: dict[str, Any]) -> Scorer:
    (folder / "spec.json").write_text(json.dumps(content))
    spec = read_spec(folder / "spec.json")
    return Scorer(spec, read_images(spec.dataset, spec.count), folder)


@pytest.fixture
def coco(tmp_path: Path, data: Path, spec_for: Callable[..., dict[str, Any]]) -> Scorer:
    """79 images of COCO."""
    return scorer(tmp_path, spec_for(data_set=data / "coco79", count=None))


@pytest.fixture
def made_coco(tmp_path: Path, spec_for: Callable[..., dict[str, Any]]) -> Scorer:
    """Forty generated images with four boxes each, in COCO's 80 categories, whose ids have gaps."""
    coco_sets.write_coco(tmp_path / "coco", images=40)
    return scorer(tmp_path, spec_for(data_set=tmp_path / "coco", count=None))


@pytest.fixture
def demo(tmp_path: Path, spec_for: Callable[..., dict[str, Any]]) -> Scorer:
    return scorer(tmp_path, spec_for(count=4))


def row(index: int, *detections: tuple[float, ...], claimed: int | None = None) -> dict[str, Any]:
    """A sample of the log; a detection is (ymin, xmin, ymax, xmax, score, class)."""
    data = b"".join(struct.pack("<7f", index if claimed is None else claimed, *each) for each in detections)
    return {"seq_id": index, "qsl_idx": index, "data": data.hex().upper()}


def boxes(*detections: tuple[float, ...]) -> Any:
    """Detections as `read_answers` returns them."""
    return np.asarray(detections, np.float32).reshape(-1, 6)


def truth(demo: Scorer) -> list[dict[str, Any]]:
    """A log whose answers are the annotations themselves."""
    annotations = json.loads(demo.spec.dataset.annotations.read_text())["annotations"]
    rows = []
    for index, (image, (width, height)) in enumerate(zip(demo.images.ids, demo.images.sizes, strict=True)):
        found = [each for each in annotations if each["image_id"] == image]
        boxes = [(*each["bbox"], each["category_id"]) for each in found]
        rows.append(row(index, *[(y / height, x / width, (y + h) / height, (x + w) / width, 0.9, kind)
                                 for x, y, w, h, kind in boxes]))  # fmt: skip
    return rows


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_reference_logs_get_reference_map(coco: Scorer, data: Path, precision: str) -> None:
    found = coco.score(data / "logs" / f"coco79_{precision}_reference_mlperf_log_accuracy.json")
    assert found["mAP"] == pytest.approx(REFERENCE[precision], abs=5e-6)
    assert found["images"] == 79
    assert found["AP75"] < found["mAP"] < found["AP50"]


def test_accuracy_txt_has_map_and_log_hash(coco: Scorer, data: Path) -> None:
    log = data / "logs" / "coco79_fp32_reference_mlperf_log_accuracy.json"
    coco.score(log)
    text = (coco.folder / "accuracy.txt").read_text()
    assert re.search(r"^mAP=23\.98\d%$", text, re.M)
    assert f"hash={hashlib.sha256(log.read_bytes()).hexdigest()}" in text.splitlines()
    assert "Average Precision  (AP) @[ IoU=0.50:0.95" in text


def imperfect(made_coco: Scorer, seed: int = 3) -> list[dict[str, Any]]:
    """A realistic log: boxes shifted by up to a fifth, some with another class, some missing, some spurious."""
    chance = random.Random(seed)
    rows = []
    for found in truth(made_coco):
        boxes = []
        for box in struct.iter_unpack("<7f", bytes.fromhex(found["data"])):
            _, top, left, bottom, right, _, kind = box
            if chance.random() < 0.1:
                continue
            height, width = bottom - top, right - left
            down, across = (chance.uniform(-0.2, 0.2) for _ in range(2))
            kind = chance.choice(coco_sets.CATEGORIES) if chance.random() < 0.1 else kind
            boxes.append((top + down * height, left + across * width, bottom + down * height, right + across * width,
                          chance.uniform(0.05, 1), kind))  # fmt: skip
            if chance.random() < 0.3:
                boxes.append((0.1, 0.1, 0.5, 0.4, chance.uniform(0.05, 1), chance.choice(coco_sets.CATEGORIES)))
        rows.append(row(found["qsl_idx"], *boxes))
    return rows


def by_pycocotools(made_coco: Scorer, rows: list[dict[str, Any]]) -> float:
    """mAP of a log: its boxes in pixels, in COCO's own result format, scored by COCO's own code."""
    truths = COCO(str(made_coco.spec.dataset.annotations))
    results = []
    for each in rows:
        image = truths.dataset["images"][each["qsl_idx"]]
        for _, top, left, bottom, right, points, kind in struct.iter_unpack("<7f", bytes.fromhex(each["data"])):
            x, y = left * image["width"], top * image["height"]
            box = [x, y, right * image["width"] - x, bottom * image["height"] - y]
            results.append({"image_id": image["id"], "category_id": int(kind), "bbox": box, "score": points})
    evaluation = COCOeval(truths, truths.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.mark.parametrize("seed", [3, 4])
def test_figure_matches_pycocotools(made_coco: Scorer, seed: int) -> None:
    rows = imperfect(made_coco, seed)
    found = made_coco.score(made_coco.write(rows))
    expected = by_pycocotools(made_coco, rows)
    assert 0.1 < expected < 0.9
    assert found["mAP"] == pytest.approx(expected, abs=5e-6)
    assert found["images"] == 40
    assert found["AP75"] < found["mAP"] < found["AP50"]


def test_boxes_with_72_percent_overlap_score_a_half(tmp_path: Path, spec_for: Callable[..., dict[str, Any]]) -> None:
    """One box an image, answered with 0.72 of its width: IoU = 0.72 w h / w h. COCO's thresholds are 0.50, 0.55 … 0.95;
    five of ten are below 0.72, where every precision is 1, and above every precision is 0."""
    coco_sets.write_coco(tmp_path / "coco", images=0)
    content = coco_sets.annotation_file(40, boxes=1)
    (tmp_path / "coco/annotations/instances_val2017.json").write_text(json.dumps(content))
    for image in content["images"]:
        path = tmp_path / "coco/val2017" / image["file_name"]
        path.write_bytes(coco_sets.flat_jpeg(image["width"], image["height"]))
    one_box = scorer(tmp_path, spec_for(data_set=tmp_path / "coco", count=None))
    rows = []
    for found in truth(one_box):
        ((_, top, left, bottom, right, points, kind),) = struct.iter_unpack("<7f", bytes.fromhex(found["data"]))
        rows.append(row(found["qsl_idx"], (top, left, bottom, left + 0.72 * (right - left), points, kind)))
    log = one_box.write(rows)
    found = one_box.score(log)
    assert (found["mAP"], found["AP50"], found["AP75"]) == pytest.approx((0.5, 1.0, 0.0))
    text = (tmp_path / "accuracy.txt").read_text()
    assert "mAP=50.000%" in text.splitlines()
    assert f"hash={hashlib.sha256(log.read_bytes()).hexdigest()}" in text.splitlines()
    assert "Average Precision  (AP) @[ IoU=0.50:0.95" in text


def test_ground_truth_scores_one(demo: Scorer) -> None:
    found = demo.score(demo.write(truth(demo)))
    assert found["mAP"] == pytest.approx(1.0)
    assert found["AR100"] == pytest.approx(1.0)


def test_first_of_duplicate_samples_counts(demo: Scorer) -> None:
    rows = truth(demo)
    found = demo.score(demo.write([*rows, row(0, (0, 0, 1, 1, 0.99, 1)), rows[1]]))
    assert found["mAP"] == pytest.approx(1.0)
    assert found["detections"] == demo.score(demo.write(rows))["detections"]


def test_no_detections_score_zero(demo: Scorer) -> None:
    found = demo.score(demo.write([row(index) for index in range(4)]))
    assert (found["mAP"], found["detections"], found["images"]) == (0.0, 0, 4)
    assert "mAP=0.000%" in (demo.folder / "accuracy.txt").read_text()


def test_contiguous_classes_become_category_ids(made_coco: Scorer) -> None:
    """Class 12 is the 12th category of COCO's list, whose id is 13 (stop sign): there is no 12."""
    found = as_coco({0: boxes((0.1, 0.1, 0.2, 0.2, 0.9, 12.0))}, made_coco.images, "contiguous")
    assert found[0]["category_id"] == 13
    assert as_coco({0: boxes((0.1, 0.1, 0.2, 0.2, 0.9, 13.0))}, made_coco.images, "category")[0]["category_id"] == 13


def test_contiguous_log_scores_the_same(made_coco: Scorer) -> None:
    rows = imperfect(made_coco)
    before = made_coco.score(made_coco.write(rows))["mAP"]
    assert contiguous(made_coco).score(made_coco.write(renumbered(made_coco, rows)))["mAP"] == pytest.approx(before, abs=5e-6)


def test_contiguous_reference_log_scores_the_same(coco: Scorer, data: Path) -> None:
    rows = json.loads((data / "logs" / "coco79_fp32_reference_mlperf_log_accuracy.json").read_text())
    found = contiguous(coco).score(coco.write(renumbered(coco, rows)))
    assert found["mAP"] == pytest.approx(REFERENCE["fp32"], abs=5e-6)


def contiguous(scorer: Scorer) -> Scorer:
    """The same for a model whose classes are numbered from 1."""
    return replace(scorer, spec=replace(scorer.spec, model=replace(scorer.spec.model, classes_are="contiguous")))


def renumbered(scorer: Scorer, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The detections of a log, with contiguous classes instead of category ids."""
    place = {category: number for number, category in enumerate(scorer.images.categories, 1)}
    return [
        {**each, "data": b"".join(
            struct.pack("<7f", *box[:6], place[int(box[6])]) for box in struct.iter_unpack("<7f", bytes.fromhex(each["data"]))
        ).hex()}
        for each in rows
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [0, 9])
def test_unknown_contiguous_class_is_an_error(demo: Scorer, kind: int) -> None:
    with pytest.raises(HarnessError, match=f"class {kind}, and the data set has 8 categories"):
        as_coco({0: boxes((0.1, 0.1, 0.2, 0.2, 0.9, kind))}, demo.images, "contiguous")


def test_boxes_are_in_pixels_of_original_image(demo: Scorer) -> None:
    width, height = demo.images.sizes[2]
    found = as_coco({2: boxes((0.25, 0.5, 0.75, 1.0, 0.5, 3))}, demo.images, "category")[0]
    assert found["bbox"] == pytest.approx([width / 2, height / 4, width / 2, height / 2])
    assert (found["image_id"], found["score"]) == (demo.images.ids[2], 0.5)


def test_detections_json_is_byte_identical_to_python_json(demo: Scorer) -> None:
    """Numbers of all magnitudes; a category that the data set does not have has no name."""
    named = demo.images.truth.categories[0]
    rows = [(1e-9, 0.1, 1 / 3, 0.75, 0.9, named.id), (0.0, 0.0, 1.0, 1.0, 1.0, 77)]
    results = as_coco({1: boxes(*rows), 3: boxes((0.5, 0.25, 0.75, 0.3, 1e-30, named.id))}, demo.images, "category")
    write_detections(demo.images, results, demo.folder / "detections.json")
    first, unknown, last = results
    lines = [
        json.dumps(each | extra, separators=(",", ":"))
        for each, extra in ((first, {"category_name": named.name}), (unknown, {}), (last, {"category_name": named.name}))
    ]
    assert (demo.folder / "detections.json").read_text() == "[\n" + ",\n".join(lines) + "\n]\n"


def test_partial_detections_are_an_error(demo: Scorer) -> None:
    log = demo.write([{"seq_id": 0, "qsl_idx": 3, "data": "00" * 27}])
    with pytest.raises(HarnessError, match="sample 3 has 27 bytes, not a multiple of 28"):
        read_answers(log)


def test_detection_of_wrong_sample_is_an_error(demo: Scorer) -> None:
    log = demo.write([row(2, (0, 0, 1, 1, 0.5, 1), claimed=1)])
    with pytest.raises(HarnessError, match="sample 2 has a detection of sample 1"):
        read_answers(log)


def test_unknown_sample_is_an_error(demo: Scorer) -> None:
    log = demo.write([*truth(demo), row(4, (0, 0, 1, 1, 0.5, 1))])
    with pytest.raises(HarnessError, match="4"):
        demo.score(log)


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}x", '{"a": 1}', "[1]", '[{"qsl_idx": 0}]', '[{"qsl_idx": 0, "data": "0G"}]', '[{"qsl_idx": 0, "data": 5}]'],
)
def test_invalid_accuracy_log_is_named(demo: Scorer, text: str) -> None:
    with pytest.raises(HarnessError, match=r"log\.json is not an accuracy log"):
        read_answers(demo.write(text))


@pytest.mark.parametrize("index", [float("nan"), float("inf")])
def test_non_numeric_index_is_an_error(demo: Scorer, index: float) -> None:
    data = struct.pack("<7f", index, 0, 0, 1, 1, 0.5, 1).hex()
    with pytest.raises(HarnessError):
        read_answers(demo.write([{"seq_id": 0, "qsl_idx": 0, "data": data}]))


def test_non_numeric_class_is_an_error(demo: Scorer) -> None:
    with pytest.raises(HarnessError):
        demo.score(demo.write([row(0, (0, 0, 1, 1, 0.5, float("nan")))]))


def test_two_logs_are_scored_over_samples_of_the_second(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """The fallback of TEST01: the figures equal the accuracy run's if the samples are all of its samples."""
    outcome = harness(spec_for("offline", "accuracy"))
    log = outcome.folder / "accuracy/mlperf_log_accuracy.json"
    rows = json.loads(log.read_text())

    def scored(rows: list[dict[str, Any]]) -> tuple[str, str]:
        tested = tmp_path / "tested.json"
        tested.write_text(json.dumps(rows))
        rescore(Path(sys.executable), PROGRAM, "object_detection", outcome.folder / "spec.json", (log, tested), tmp_path)
        texts = [(tmp_path / name).read_text() for name in ("baseline_accuracy.txt", "compliance_accuracy.txt")]
        before, after = (text.splitlines()[-1] for text in texts)
        return before, after

    whole = f"mAP={100 * outcome.results['accuracy']['mAP']:.3f}%"
    assert scored(rows) == (whole, whole)
    before, after = scored(rows[:5])
    assert before == after
    empty = [{**row, "data": ""} for row in rows]
    assert scored(empty) == (whole, "mAP=0.000%")
    with pytest.raises(RunError, match="has sample 4000, which") as caught:
        scored([{**rows[0], "qsl_idx": 4000, "data": ""}])
    assert "Traceback" not in str(caught.value)

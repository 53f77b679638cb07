"""Scoring of an accuracy log: the reference's own logs get the reference's figures, a log that is not right is told."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("pycocotools")

from object_detection.accuracy import as_coco, read_log, score
from object_detection.annotations import ImageList, read_images
from object_detection.errors import HarnessError
from object_detection.spec import Spec, read_spec

from ck_repo.errors import RunError
from ck_repo.run.harness import rescore

PROGRAM = Path(__file__).resolve().parents[3] / "program/object-detection"
# mAP that the v1.0.1 reference harness reported on these logs
REFERENCE = {"fp32": 0.23982, "int8": 0.23871}


@dataclass(frozen=True)
class Scorer:
    """A spec, its images, and a place for logs."""

    spec: Spec
    images: ImageList
    folder: Path

    def write(self, rows: object) -> Path:
        path = self.folder / "log.json"
        path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
        return path

    def score(self, log: Path) -> dict[str, Any]:
        return score(self.spec, self.images, log, self.folder / "accuracy.txt")


def scorer(folder: Path, content: dict[str, Any]) -> Scorer:
    (folder / "spec.json").write_text(json.dumps(content))
    spec = read_spec(folder / "spec.json")
    return Scorer(spec, read_images(spec.dataset, spec.count), folder)


@pytest.fixture
def coco(tmp_path: Path, data: Path, spec_for: Callable[..., dict[str, Any]]) -> Scorer:
    return scorer(tmp_path, spec_for(data_set=data / "coco79", count=None))


@pytest.fixture
def demo(tmp_path: Path, spec_for: Callable[..., dict[str, Any]]) -> Scorer:
    return scorer(tmp_path, spec_for(count=4))


def row(index: int, *detections: tuple[float, ...], claimed: int | None = None) -> dict[str, Any]:
    """A sample of the log; a detection is (ymin, xmin, ymax, xmax, score, class)."""
    data = b"".join(struct.pack("<7f", index if claimed is None else claimed, *each) for each in detections)
    return {"seq_id": index, "qsl_idx": index, "data": data.hex().upper()}


def truth(demo: Scorer) -> list[dict[str, Any]]:
    """A log that answers with the annotations themselves."""
    annotations = json.loads(demo.spec.dataset.annotations.read_text())["annotations"]
    rows = []
    for index, (image, (width, height)) in enumerate(zip(demo.images.ids, demo.images.sizes, strict=True)):
        found = [each for each in annotations if each["image_id"] == image]
        boxes = [(*each["bbox"], each["category_id"]) for each in found]
        rows.append(row(index, *[(y / height, x / width, (y + h) / height, (x + w) / width, 0.9, kind)
                                 for x, y, w, h, kind in boxes]))  # fmt: skip
    return rows


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_reference_logs_get_the_references_mAP(coco: Scorer, data: Path, precision: str) -> None:
    found = coco.score(data / "logs" / f"coco79_{precision}_reference_mlperf_log_accuracy.json")
    assert found["mAP"] == pytest.approx(REFERENCE[precision], abs=5e-6)
    assert found["images"] == 79
    assert found["AP75"] < found["mAP"] < found["AP50"]


def test_accuracy_txt_has_mAP_and_the_hash_of_the_log(coco: Scorer, data: Path) -> None:
    log = data / "logs" / "coco79_fp32_reference_mlperf_log_accuracy.json"
    coco.score(log)
    text = (coco.folder / "accuracy.txt").read_text()
    assert re.search(r"^mAP=23\.98\d%$", text, re.M)
    assert f"hash={hashlib.sha256(log.read_bytes()).hexdigest()}" in text.splitlines()
    assert "Average Precision  (AP) @[ IoU=0.50:0.95" in text


def test_the_annotations_themselves_score_one(demo: Scorer) -> None:
    found = demo.score(demo.write(truth(demo)))
    assert found["mAP"] == pytest.approx(1.0)
    assert found["AR100"] == pytest.approx(1.0)


def test_of_a_sample_that_is_there_twice_the_first_counts(demo: Scorer) -> None:
    rows = truth(demo)
    found = demo.score(demo.write([*rows, row(0, (0, 0, 1, 1, 0.99, 1)), rows[1]]))
    assert found["mAP"] == pytest.approx(1.0)
    assert found["detections"] == demo.score(demo.write(rows))["detections"]


def test_nothing_detected_at_all_is_zero(demo: Scorer) -> None:
    found = demo.score(demo.write([row(index) for index in range(4)]))
    assert (found["mAP"], found["detections"], found["images"]) == (0.0, 0, 4)
    assert "mAP=0.000%" in (demo.folder / "accuracy.txt").read_text()


def test_contiguous_classes_become_category_ids(coco: Scorer) -> None:
    """Class 12 is the 12th category of COCO's list, whose id is 13 (stop sign): there is no 12."""
    found = as_coco({0: [(0.1, 0.1, 0.2, 0.2, 0.9, 12.0)]}, coco.images, "contiguous")
    assert found[0]["category_id"] == 13
    assert as_coco({0: [(0.1, 0.1, 0.2, 0.2, 0.9, 13.0)]}, coco.images, "category")[0]["category_id"] == 13


def test_a_log_with_contiguous_classes_scores_the_same(coco: Scorer, data: Path) -> None:
    rows = json.loads((data / "logs" / "coco79_fp32_reference_mlperf_log_accuracy.json").read_text())
    place = {category: number for number, category in enumerate(coco.images.categories, 1)}
    for each in rows:
        boxes = struct.iter_unpack("<7f", bytes.fromhex(each["data"]))
        each["data"] = b"".join(struct.pack("<7f", *box[:6], place[int(box[6])]) for box in boxes).hex()
    contiguous = replace(coco, spec=replace(coco.spec, model=replace(coco.spec.model, classes_are="contiguous")))
    assert contiguous.score(coco.write(rows))["mAP"] == pytest.approx(REFERENCE["fp32"], abs=5e-6)


@pytest.mark.parametrize("kind", [0, 9])
def test_contiguous_class_that_the_set_does_not_have_is_an_error(demo: Scorer, kind: int) -> None:
    with pytest.raises(HarnessError, match=f"class {kind}, and the data set has 8 categories"):
        as_coco({0: [(0.1, 0.1, 0.2, 0.2, 0.9, kind)]}, demo.images, "contiguous")


def test_boxes_are_in_pixels_of_the_original_image(demo: Scorer) -> None:
    width, height = demo.images.sizes[2]
    found = as_coco({2: [(0.25, 0.5, 0.75, 1.0, 0.5, 3)]}, demo.images, "category")[0]
    assert found["bbox"] == pytest.approx([width / 2, height / 4, width / 2, height / 2])
    assert (found["image_id"], found["score"]) == (demo.images.ids[2], 0.5)


def test_bytes_that_are_no_whole_detections_are_an_error(demo: Scorer) -> None:
    log = demo.write([{"seq_id": 0, "qsl_idx": 3, "data": "00" * 27}])
    with pytest.raises(HarnessError, match="sample 3 has 27 bytes, not a multiple of 28"):
        read_log(log)


def test_detection_of_another_sample_is_an_error(demo: Scorer) -> None:
    log = demo.write([row(2, (0, 0, 1, 1, 0.5, 1), claimed=1)])
    with pytest.raises(HarnessError, match="sample 2 holds a detection of sample 1"):
        read_log(log)


def test_sample_that_the_data_set_does_not_have_is_an_error(demo: Scorer) -> None:
    log = demo.write([*truth(demo), row(4, (0, 0, 1, 1, 0.5, 1))])
    with pytest.raises(HarnessError, match="4"):
        demo.score(log)


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}x", '{"a": 1}', "[1]", '[{"qsl_idx": 0}]', '[{"qsl_idx": 0, "data": "0G"}]', '[{"qsl_idx": 0, "data": 5}]'],
)
def test_what_is_no_accuracy_log_is_named(demo: Scorer, text: str) -> None:
    with pytest.raises(HarnessError, match=r"log\.json is no accuracy log"):
        read_log(demo.write(text))


@pytest.mark.parametrize("index", [float("nan"), float("inf")])
def test_index_that_is_no_number_is_an_error(demo: Scorer, index: float) -> None:
    data = struct.pack("<7f", index, 0, 0, 1, 1, 0.5, 1).hex()
    with pytest.raises(HarnessError):
        read_log(demo.write([{"seq_id": 0, "qsl_idx": 0, "data": data}]))


def test_class_that_is_no_number_is_an_error(demo: Scorer) -> None:
    with pytest.raises(HarnessError):
        demo.score(demo.write([row(0, (0, 0, 1, 1, 0.5, float("nan")))]))


def test_two_logs_are_scored_over_the_samples_of_the_second(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """What TEST01 falls back to: the figures are those of the accuracy run where the samples are all of its samples."""
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

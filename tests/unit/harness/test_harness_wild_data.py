"""Published odd files (`wild/` in the test data) run with the demo model: each gets its correct figure or an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from object_detection.datasets.__main__ import answer

RIGHT = 0.8381
FIGURES = {
    "all-ann-ids-0": RIGHT, "ann-id-from-0": RIGHT, "ann-no-id": RIGHT, "backslash": RIGHT, "base": RIGHT, "bom": RIGHT,
    "no-iscrowd": RIGHT, "roboflow-cat0": RIGHT, "string-image-ids": RIGHT, "string-size": RIGHT,
}  # fmt: skip
REFUSED = {
    "dup-image-id": "two images have the id 1",
    "empty-bbox": "annotation 1 has an empty box: bbox [10, 10, 0, 0]",
    "no-file-name": "image 1 has no file_name",
    "url-names": "the file_name of image 1 is a URL: http://localhost:8080/",
}
REMARKED = {
    "no-annotations": "mAP is undefined",
    "unknown-category": "annotations of category 77, which is not in the list of categories and is not scored: 1",
    "roboflow-cat0": "categories without an annotation: 1 of 9: shapes",
    "string-size": "width and height are in quotes",
}


@pytest.fixture
def wild(data: Path) -> Path:
    if not (data / "wild/coco").is_dir():
        pytest.skip("no published odd files (CK_TEST_DATA names a folder that has them in wild/)")
    return data / "wild"


def registered(wild: Path, name: str) -> dict[str, Any]:
    return answer(
        {"format": "coco", "path": str(wild / "coco/images"), "annotations": str(wild / f"coco/annotations/{name}.json")}
    )


@pytest.mark.parametrize("name", FIGURES)
def test_odd_annotations_have_correct_figure(
    wild: Path, name: str, harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]
) -> None:
    for module in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
        pytest.importorskip(module)
    found = registered(wild, name)
    spec = spec_for(count=None)
    spec["dataset"] = {"name": name, "digest": str(wild), "images": found["images"], "annotations": found["annotations"]}
    assert harness(spec).results["accuracy"]["mAP"] == pytest.approx(FIGURES[name], abs=5e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_annotations_are_rejected(wild: Path, name: str) -> None:
    assert REFUSED[name] in registered(wild, name)["error"]


@pytest.mark.parametrize("name", REMARKED)
def test_odd_annotations_are_remarked(wild: Path, name: str) -> None:
    assert any(REMARKED[name] in text for text in registered(wild, name)["remarks"])


def test_motion_photo_is_a_valid_image(wild: Path) -> None:
    pytest.importorskip("cv2")
    from object_detection.preprocess import decode

    assert decode(wild / "images/motion-photo.jpg").shape == (300, 400, 3)

"""Other interpretations of a model: what a trial of them prepares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("pycocotools")

from object_detection.annotations import read_images  # noqa: E402
from object_detection.contract.results import Accuracy  # noqa: E402
from object_detection.image_cache import ImageCache  # noqa: E402
from object_detection.readings import IMAGES, Advisor, is_doubtful  # noqa: E402
from object_detection.spec import Dataset, LoadGenSettings, Model, Spec  # noqa: E402
from object_detection.sut.library import SampleLibrary  # noqa: E402

MODEL = Model(
    "toy", Path("toy"), "toy", "image", None, 8, "none", "NHWC", "uint8", "boxes", "scores", "classes", "", "xyxy", None,
    "contiguous", 1,
)  # fmt: skip
SETTINGS = LoadGenSettings(1, 2, 3, 16, 0.9, 300, 0, 0, None, None, 1, "4.1.30")


class Blind:
    """A session that detects nothing."""

    def outputs(self, indices: list[int], library: object = None) -> Any:
        return np.zeros((1, 0, 4)), np.zeros((1, 0)), np.zeros((1, 0)), None

    def answers(self, *of_a_batch: object) -> Any:
        return [np.zeros((0, 7), np.float32)]


def test_only_trial_images_are_prepared_again(tmp_path: Path) -> None:
    count = IMAGES + 5
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "box"}]}
    for number in range(count):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
        content["images"].append({"id": number, "file_name": f"{number}.png", "width": 8, "height": 8})
        content["annotations"].append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
        )
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    dataset = Dataset("toy", tmp_path, tmp_path / "annotations.json", "digest")
    spec = Spec(
        MODEL, dataset, "cpu", "offline", ("accuracy",), None, None, None, None, False, SETTINGS, tmp_path / "cache"
    )  # fmt: skip
    images = read_images(dataset, None)
    blind: Any = Blind()
    assert Advisor(spec, images, SampleLibrary(ImageCache(spec, images))).advice(blind) == ""
    prepared = sorted(len(np.load(path)) for path in (tmp_path / "cache").glob("*.npy"))
    assert prepared == [IMAGES, count]  # the other channel order, and the run's own


@pytest.mark.parametrize(
    ("mAP", "odd", "doubtful"),
    [(None, False, False), (None, True, True), (-1, True, True), (0.1, False, False), (0.1, True, True), (0.01, False, True)],
)
def test_answers_that_may_be_misread(mAP: float | None, odd: bool, doubtful: bool) -> None:
    assert is_doubtful(None if mAP is None else Accuracy(mAP), odd) is doubtful

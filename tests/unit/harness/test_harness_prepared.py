"""Prepared data sets give the same inputs as the images themselves, in bounded space."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")

from object_detection import prepared  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.prepared import PreparedImages, chosen, prepare  # noqa: E402
from object_detection.prepared_parts import Part, read_part  # noqa: E402
from object_detection.preprocess import model_input  # noqa: E402
from object_detection.spec import Model, Preprocessed  # noqa: E402

SMALL = Model(
    "small", Path("x"), "onnxruntime", "image", None, 300, "none", "NHWC", "uint8", "b", "s", "c", "", "yxyx", None, "category"
)
LARGE = replace(SMALL, name="large", side=1200, scaling="imagenet", layout="NCHW", dtype="float32")


@pytest.fixture
def made(demo_set: Path, tmp_path: Path) -> Callable[..., tuple[Preprocessed, dict[str, Any]]]:
    """A prepared data set and its annotations."""

    def make(part: str, side: int, library: str = "opencv") -> tuple[Preprocessed, dict[str, Any]]:
        prepare(demo_set / "val2017", demo_set / "annotations/instances_val2017.json", part, side, library, tmp_path)
        description = json.loads((tmp_path / "dataset.json").read_text())
        ready = description["preprocessed"]
        annotations = json.loads((tmp_path / description["annotations"]).read_text())
        return Preprocessed(**{**ready, "file": tmp_path / ready["file"]}), annotations

    return make


def test_small_input_bytes_are_stored_unchanged(made: Any, demo_set: Path) -> None:
    ready, annotations = made("first.20", 300)
    images = PreparedImages(ready, SMALL)
    assert ready.file.stat().st_size < 20 * 300 * 300 * 3 + 1000
    for index, row in enumerate(annotations["images"]):
        assert np.array_equal(images.load(index), model_input(demo_set / "val2017" / row["file_name"], 300, "none", "NHWC"))


@pytest.mark.parametrize("model", [LARGE, SMALL, replace(LARGE, side=300, scaling="plus-minus-one")])
def test_decoded_images_give_every_input_bit_for_bit(made: Any, demo_set: Path, model: Model) -> None:
    """A float32 input of 1200 × 1200 takes 17.28 MB; its image takes only its own pixels."""
    ready, annotations = made("first.3", 1200)
    images = PreparedImages(ready, model)
    assert ready.file.stat().st_size == sum(3 * row["width"] * row["height"] for row in annotations["images"])
    for index, row in enumerate(annotations["images"]):
        expected = model_input(demo_set / "val2017" / row["file_name"], model.side, model.scaling, model.layout)
        assert np.array_equal(images.load(index), expected)
        assert images.load(index).dtype == expected.dtype


@pytest.mark.parametrize("side", [300, 1200])
def test_pillow_resize_matches_pillow(made: Any, demo_set: Path, side: int) -> None:
    image = pytest.importorskip("PIL.Image")
    ready, annotations = made("last.2", side, "pillow")
    found = PreparedImages(ready, replace(SMALL, side=side))
    for index, row in enumerate(annotations["images"]):
        with image.open(demo_set / "val2017" / row["file_name"]) as picture:
            expected = picture.convert("RGB").resize((side, side), image.Resampling.BILINEAR)
        assert np.array_equal(found.load(index), np.asarray(expected))


def test_rounded_bytes_are_not_given_to_float_models(made: Any) -> None:
    ready, _ = made("first.2", 300)
    with pytest.raises(HarnessError, match="300 × 300 bytes; the model large expects 1200 × 1200 float32") as caught:
        PreparedImages(ready, LARGE)
    assert "side.1200" in caught.value.hint


@pytest.mark.parametrize(
    ("part", "expected"), [("full", [0, 1, 2, 3]), ("first.2", [0, 1]), ("last.1", [3]), ("first.9", [0, 1, 2, 3])]
)
def test_parts(part: str, expected: list[int]) -> None:
    assert [row["id"] for row in chosen([{"id": number} for number in range(4)], part)] == expected


def test_annotations_match_the_images(made: Any) -> None:
    _, annotations = made("last.20", 300)
    ids = {row["id"] for row in annotations["images"]}
    assert len(ids) == 20
    assert {row["image_id"] for row in annotations["annotations"]} == ids
    assert annotations["categories"]


def test_full_disk_is_reported_before_writing(
    demo_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepared, "shutil", SimpleNamespace(disk_usage=lambda path: shutil._ntuple_diskusage(1, 1, 1000)))
    with pytest.raises(HarnessError, match=r"40 images take .* MB, and .* has 0 MB free"):
        prepare(demo_set / "val2017", demo_set / "annotations/instances_val2017.json", "full", 1200, "opencv", tmp_path)
    assert "40 images will take" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_harness_uses_prepared_data_set_without_images(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], made: Any, tmp_path: Path
) -> None:
    """The same detections as from the images, which no longer exist."""
    plain = harness(spec_for())
    ready, _ = made("full", 300)
    spec = spec_for()
    spec["dataset"] |= {
        "images": str(tmp_path / "gone"),
        "annotations": str(tmp_path / "annotations.json"),
        "preprocessed": {"file": str(ready.file), "kind": ready.kind, "side": ready.side, "library": ready.library},
    }
    outcome = harness(spec)
    assert outcome.results["accuracy"] == plain.results["accuracy"]


def test_unannotated_images_are_left_out_only_on_request(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], demo_set: Path, tmp_path: Path
) -> None:
    """The reference's PyTorch ssd-resnet34 drops the 48 images of val2017 that have none (facts, section 1)."""
    content = json.loads((demo_set / "annotations/instances_val2017.json").read_text())
    bare = content["images"][1]["id"]
    content["annotations"] = [row for row in content["annotations"] if row["image_id"] != bare]
    (tmp_path / "a.json").write_text(json.dumps(content))
    spec = spec_for()
    spec["dataset"]["annotations"] = str(tmp_path / "a.json")
    assert harness(spec).results["images"] == 16
    spec["dataset"]["only_annotated"] = True
    spec["count"] = None
    assert harness(spec).results["images"] == 39


@pytest.mark.parametrize("side", [300, 1200])
@pytest.mark.parametrize("count", [1, 3, 11])
def test_parts_give_the_files_of_the_whole_data_set(demo_set: Path, tmp_path: Path, side: int, count: int) -> None:
    """With more parts than images, some are empty; one of the images is damaged, which is reported all the same."""
    shutil.copytree(demo_set, tmp_path / "set")
    images, annotations = tmp_path / "set/val2017", tmp_path / "set/annotations/instances_val2017.json"
    rows = json.loads(annotations.read_text())["images"]
    hurt = images / rows[6]["file_name"]
    content = hurt.read_bytes()
    hurt.write_bytes(content[: len(content) // 2] + bytes(16) + content[len(content) // 2 + 16 :])

    def made(name: str, **more: Any) -> Path:
        (tmp_path / name).mkdir()
        prepare(images, annotations, "first.9", side, "opencv", tmp_path / name, **more)
        return tmp_path / name

    try:
        whole = made("whole")
    except HarnessError:  # this kind of image cannot be decoded at all when it is damaged
        hurt.write_bytes(content)
        shutil.rmtree(tmp_path / "whole")
        whole = made("whole")
    parts = [made(f"part{index}", only=Part(index, count)) for index in range(count)]
    merged = made("merged", made=parts)
    assert {path.name: path.read_bytes() for path in merged.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }
    assert not (parts[0] / "dataset.json").exists()
    with pytest.raises(HarnessError, match=r"the parts have \d+ images, and the data set 9"):
        made("short", made=[parts[-1], parts[-1]] if count == 1 else parts[:1])


@pytest.mark.parametrize("text", ["", "3", "2/2", "-1/2", "a/b"])
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="is not INDEX/COUNT"):
        read_part(text)

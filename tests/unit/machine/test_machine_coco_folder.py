"""COCO data sets: what is wrong is told before a run stumbles over it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coco_sets
import pytest

from ck_repo.errors import DetectError
from ck_repo.machine.coco_folder import inspect_coco

if TYPE_CHECKING:
    from conftest import DataSet


def test_images_are_found_from_any_of_their_places(tmp_path: Path) -> None:
    root = tmp_path / "coco"
    content = coco_sets.write_coco(root, images=12)
    found = [inspect_coco(path) for path in (root, root / "val2017", root / "val2017" / content["images"][0]["file_name"])]
    assert found[0] == found[1] == found[2]
    assert (found[0].count, found[0].categories) == (12, 80)
    assert found[0].annotations == str(root / "annotations/instances_val2017.json")


def test_images_of_coco_are_found_from_any_of_their_places(data: Path) -> None:
    root = data / "coco79"
    found = [inspect_coco(path) for path in (root, root / "val2017", root / "val2017/000000000139.jpg")]
    assert found[0] == found[1] == found[2]
    assert (found[0].count, found[0].categories) == (79, 80)
    assert found[0].annotations == str(root / "annotations/instances_val2017.json")


def test_a_set_of_one_s_own_is_found_and_its_annotations_may_lie_elsewhere(data_set: DataSet, tmp_path: Path) -> None:
    assert inspect_coco(data_set.images).count == 3
    elsewhere = Path(shutil.move(data_set.file, tmp_path / "mine.json"))
    assert inspect_coco(data_set.images, elsewhere).annotations == str(elsewhere)
    with pytest.raises(DetectError, match=r"instances_val2017\.json is not there") as caught:
        inspect_coco(data_set.images)
    assert "--annotations=" in caught.value.hint
    with pytest.raises(DetectError, match="absent is not there"):
        inspect_coco(tmp_path / "absent")


def test_the_digest_tells_sets_apart_but_not_copies(data_set: DataSet, tmp_path: Path) -> None:
    first = inspect_coco(data_set.images).digest
    shutil.copytree(data_set.images.parent, tmp_path / "copy")
    assert inspect_coco(tmp_path / "copy/val2017").digest == first
    del data_set.content["images"][2], data_set.content["annotations"][2]
    data_set.write()
    assert inspect_coco(data_set.images).digest != first


def test_missing_images_are_counted_and_the_first_is_named(data_set: DataSet) -> None:
    (data_set.images / "2.png").unlink()
    (data_set.images / "3.png").unlink()
    with pytest.raises(DetectError, match=r"2 of the 3 images that .* are not there, 2\.png first"):
        inspect_coco(data_set.images)


@pytest.mark.parametrize("length", [0, 1, 8, 12, 18, 22])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_an_image_that_is_empty_or_cut_short_is_told(data_set: DataSet, kind: str, length: int) -> None:
    path = data_set.images / "2.png"
    whole = path.read_bytes() if kind == "png" else coco_sets.flat_jpeg(4, 3)
    path.write_bytes(whole)
    assert inspect_coco(data_set.images).count == 3
    path.write_bytes(whole[:length])
    with pytest.raises(DetectError, match=r"1 of the 3 images .* are no images .*, 2\.png first"):
        inspect_coco(data_set.images)


def test_an_image_of_another_size_is_told_with_both(data_set: DataSet) -> None:
    data_set.content["images"][1]["width"] = 40
    data_set.write()
    with pytest.raises(DetectError, match=r"have another size, 2\.png is 4 × 3, annotated as 40 × 3 first"):
        inspect_coco(data_set.images)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"annotations": [{"id": 5, "image_id": 9, "category_id": 7}]},
            "annotation 5 is of image 9, which the file does not name",
        ),
        (
            {"annotations": [{"id": 5, "image_id": 1, "category_id": 8}]},
            "annotation 5 has the category 8, which the file does not",
        ),
        ({"images": []}, "names no image"),
        ({"images": None}, "it has no list of images"),
        ({"categories": {}}, "it has no list of categories"),
        ({"images": ["1.png"]}, "images"),
        ({"images": [{"id": 1}]}, "1"),
        ({"annotations": ["1"]}, "annotation"),
        ({"annotations": [{"id": 5, "image_id": [1], "category_id": 7}]}, "annotation 5"),
        ({"categories": ["thing"]}, "categor"),
    ],
)
def test_annotations_that_do_not_fit_together_are_told(data_set: DataSet, change: dict[str, Any], why: str) -> None:
    data_set.content |= change
    data_set.write()
    with pytest.raises(DetectError, match=re.escape(why)):
        inspect_coco(data_set.images)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3"])
def test_what_is_no_annotation_file_is_told(data_set: DataSet, content: bytes) -> None:
    data_set.file.write_bytes(content)
    with pytest.raises(DetectError, match=r"not readable as JSON|no COCO annotation file"):
        inspect_coco(data_set.images)

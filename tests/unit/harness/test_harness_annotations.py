"""The list of images: the benchmark's order, and incomplete data sets are reported before the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from object_detection.annotations import read_images
from object_detection.errors import HarnessError
from object_detection.spec import Dataset


def data_set(folder: Path, content: Any, *present: str) -> Dataset:
    (folder / "images").mkdir()
    for name in present:
        (folder / "images" / name).touch()
    path = folder / "annotations.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Dataset("toy", folder / "images", path, "0")


def image(number: int) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.jpg", "width": 10 * number, "height": number}


def test_sample_index_is_position_in_file(tmp_path: Path) -> None:
    content = {"images": [image(7), image(2), image(5)], "categories": [{"id": 9}, {"id": 1}], "annotations": []}
    found = read_images(data_set(tmp_path, content, "7.jpg", "2.jpg", "5.jpg"), None)
    assert found.ids == (7, 2, 5)
    assert [path.name for path in found.paths] == ["7.jpg", "2.jpg", "5.jpg"]
    assert found.sizes[1] == (20, 2)
    assert found.categories == (9, 1)


def test_coco_order_matches_published_val_map(data: Path) -> None:
    """data/val_map.txt, from the published results, lists the 5000 images in the benchmark's order; coco79 holds 79 of them."""
    coco = data / "coco79"
    found = read_images(Dataset("coco", coco / "val2017", coco / "annotations" / "instances_val2017.json", "0"), None)
    order = [line.split()[0] for line in (data / "val_map.txt").read_text().splitlines()]
    places = [order.index(path.name) for path in found.paths]
    assert len(found) == 79
    assert len(found.categories) == 80
    assert places == sorted(places)


@pytest.mark.parametrize(("count", "left"), [(None, 3), (2, 2), (50, 3)])
def test_first_images_are_selected(tmp_path: Path, count: int | None, left: int) -> None:
    content = {"images": [image(1), image(2), image(3)], "categories": [], "annotations": []}
    assert read_images(data_set(tmp_path, content, "1.jpg", "2.jpg", "3.jpg"), count).ids == (1, 2, 3)[:left]


def test_missing_images_are_counted_and_named(tmp_path: Path) -> None:
    content = {"images": [image(1), image(2), image(3)], "categories": [], "annotations": []}
    with pytest.raises(HarnessError, match=r"2 of 3 images are not in .*, the first: 2\.jpg"):
        read_images(data_set(tmp_path, content, "1.jpg"), None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("not JSON", "not readable as JSON"),
        ("[]", "is not a COCO annotation file: it has no list of images"),
        ({"images": [image(1)]}, "has no list of annotations"),
        ({"annotations": [], "categories": []}, "has no list of images"),
        ({"images": [{"id": 1}], "annotations": [], "categories": []}, "image 1 has no file_name"),
        ({"images": [{**image(1), "width": "wide"}], "annotations": [], "categories": []}, 'image 1 has the width "wide"'),
    ],
)
def test_annotation_errors_name_the_file(tmp_path: Path, content: Any, why: str) -> None:
    with pytest.raises(HarnessError, match=rf"annotations\.json.*{why}"):
        read_images(data_set(tmp_path, content, "1.jpg"), None)


def test_data_set_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="has no images"):
        read_images(data_set(tmp_path, {"images": [], "categories": [], "annotations": []}), None)

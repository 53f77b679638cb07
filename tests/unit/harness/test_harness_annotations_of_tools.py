"""Annotations as labelling tools write them: each gets its correct figure, an error, or a remark."""

from __future__ import annotations

import gzip
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_sets
import pytest

pytest.importorskip("numpy")
pytest.importorskip("pycocotools")

from object_detection.accuracy import score
from object_detection.annotations import read_images
from object_detection.contract.results import Accuracy
from object_detection.datasets.__main__ import answer
from object_detection.errors import HarnessError
from object_detection.spec import read_spec
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

Content = dict[str, Any]
Change = Callable[[Content], object]
IMAGES = 12


class DataSet:
    """A generated data set whose annotations a test changes, and the answers of an imperfect model."""

    def __init__(self, folder: Path, spec_for: Callable[..., dict[str, Any]]) -> None:
        self.folder, self._spec_for = folder, spec_for
        self.content = coco_sets.write_coco(folder / "coco", images=IMAGES)
        self.images = folder / "coco/val2017"
        self.file = folder / "coco/annotations/instances_val2017.json"
        self._log(random.Random(5))

    def _log(self, chance: random.Random) -> None:
        """An accuracy log: boxes shifted by up to a fifth, with random scores."""
        rows = []
        for index, image in enumerate(self.content["images"]):
            data = b""
            for row in self.content["annotations"]:
                if row["image_id"] == image["id"]:
                    x, y, w, h = row["bbox"]
                    x, y = x + chance.uniform(-0.2, 0.2) * w, y + chance.uniform(-0.2, 0.2) * h
                    wide, high = image["width"], image["height"]
                    edges = (y / high, x / wide, (y + h) / high, (x + w) / wide)
                    data += struct.pack("<7f", index, *edges, chance.uniform(0.1, 1), row["category_id"])
            rows.append({"seq_id": index, "qsl_idx": index, "data": data.hex().upper()})
        (self.folder / "log.json").write_text(json.dumps(rows))

    def write(self, content: bytes | None = None) -> None:
        self.file.write_bytes(json.dumps(self.content).encode() if content is None else content)

    def scored(self, **options: Any) -> Accuracy:
        spec_file = self.folder / "spec.json"
        spec_file.write_text(json.dumps(self._spec_for(data_set=self.folder / "coco", count=None, **options)))
        spec = read_spec(spec_file)
        images = read_images(spec.dataset, spec.count)
        return score(spec, images, self.folder / "log.json", self.folder / "accuracy.txt")

    def registered(self) -> dict[str, Any]:
        """What `ck detect` reports."""
        return answer({"format": "coco", "path": str(self.images)})


@pytest.fixture
def data_set(tmp_path: Path, spec_for: Callable[..., dict[str, Any]]) -> DataSet:
    return DataSet(tmp_path, spec_for)


def every(key: str, **values: Any) -> Change:
    """Set fields of every element of a list; a function gets the element and its position, and ``...`` removes the field."""

    def change(content: Content) -> None:
        for position, row in enumerate(content[key]):
            for name, value in values.items():
                new = value(row, position) if callable(value) else value
                if new is ...:
                    row.pop(name, None)
                else:
                    row[name] = new

    return change


def rename_ids(make: Callable[[int], Any]) -> Change:
    """Other ids of images."""

    def change(content: Content) -> None:
        every("images", id=lambda row, _: make(row["id"]))(content)
        every("annotations", image_id=lambda row, _: make(row["image_id"]))(content)

    return change


def both(*changes: Change) -> Change:
    return lambda content: [change(content) for change in changes]


# unambiguous changes: the figure is that of the original file
SAME: dict[str, tuple[Change, str]] = {
    "annotation ids from 0": (every("annotations", id=lambda _, n: n), ""),
    "annotation ids all 0": (every("annotations", id=0), ""),
    "annotation ids null": (every("annotations", id=None), ""),
    "annotation ids absent": (every("annotations", id=...), ""),
    "annotation ids by image": (every("annotations", id=lambda _, n: n % 4), ""),
    "annotation ids as text": (every("annotations", id=lambda _, n: f"a{n}"), ""),
    "no iscrowd": (every("annotations", iscrowd=...), "annotations without iscrowd, taken as 0: 48, the first annotation 1"),
    "iscrowd in quotes": (every("annotations", iscrowd="0"), "iscrowd is null or in quotes, read as a number: 48"),
    "iscrowd null": (every("annotations", iscrowd=None), "iscrowd is null or in quotes"),
    "iscrowd false": (every("annotations", iscrowd=False), ""),
    "no area": (every("annotations", area=...), "annotations without area, taken as width × height: 48"),
    "area in quotes": (every("annotations", area=lambda row, _: str(row["area"])), ""),
    "image ids in quotes": (rename_ids(str), "images whose id is a text"),
    "image ids in quotes in one place": (every("images", id=lambda row, _: str(row["id"])), "images whose id is a text"),
    "image ids as names": (rename_ids(lambda number: f"frame_{number:04}"), "images whose id is a text"),
    "image ids with a fraction": (rename_ids(float), ""),
    "category ids in quotes": (every("annotations", category_id=lambda row, _: str(row["category_id"])), ""),
    "sizes in quotes": (every("images", width=lambda row, _: str(row["width"])), "width and height are in quotes"),
    "sizes with a fraction": (every("images", width=lambda row, _: float(row["width"])), ""),
    "no sizes": (every("images", width=..., height=...), "taken from the files: 12"),
    "boxes in quotes": (every("annotations", bbox=lambda row, _: [*map(str, row["bbox"])]), "bbox is in quotes"),
    "backslashes": (every("images", file_name=lambda row, _: f"val2017\\{row['file_name']}"), ""),
    "folder in front": (every("images", file_name=lambda row, _: f"val2017/{row['file_name']}"), ""),
    "dot in front": (every("images", file_name=lambda row, _: f"./{row['file_name']}"), ""),
    "path of another machine": (
        every("images", file_name=lambda row, _: f"/home/somebody/{row['file_name']}"),
        "a path that does not exist here, found in the folder of images: 12",
    ),
    "path of Windows": (every("images", file_name=lambda row, _: f"C:\\set\\{row['file_name']}"), ""),
    "no names of categories": (every("categories", name=...), "categories without a name, which are named by their id: 80"),
    "category 0 of nothing": (
        lambda content: content["categories"].insert(0, {"id": 0, "name": "everything", "supercategory": "none"}),
        ": everything, ",
    ),
    "ids of 64 bits": (rename_ids(lambda number: (1 << 62) + number), ""),
    "segmentation in text": (every("annotations", segmentation={"size": [48, 64], "counts": "PPYo1"}), ""),
    "other case": (
        every("images", file_name=lambda row, _: row["file_name"].upper()),
        "images whose file has another case or spelling than file_name: 12, the first 000000000003.JPG",
    ),
    "space around names": (every("images", file_name=lambda row, _: f" {row['file_name']} "), "another case or spelling"),
    "path of a server": (every("images", file_name=lambda row, _: f"\\\\host\\share\\{row['file_name']}"), ""),
    "ignore": (every("annotations", ignore=1), "annotations with ignore, which is not used"),
    "other keys": (lambda content: content.update(info=3, licenses=None, more=[{"images": 1}]), ""),
}


@pytest.mark.parametrize("name", SAME)
def test_unambiguous_deviations_are_corrected_and_reported_once(data_set: DataSet, name: str) -> None:
    plain = data_set.scored()
    assert 0.3 < plain.mAP < 0.9
    change, remark = SAME[name]
    change(data_set.content)
    data_set.write()
    found = data_set.registered()
    assert "error" not in found, found
    assert sum(remark in text for text in found["remarks"]) == bool(remark) or not remark
    assert [text for text in found["remarks"] if "categories without an annotation" not in text and remark not in text] == []
    if name not in (
        "backslashes",
        "folder in front",
    ):  # images are searched from the parent folder, which is reported to the engine
        assert data_set.scored() == plain
    else:
        assert found["images"] == str(data_set.images.parent)
        assert len(found["files"]) == IMAGES


ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8", "cp1252")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_windows_encodings_are_read(data_set: DataSet, encoding: str) -> None:
    plain = data_set.scored()
    data_set.content["categories"][0]["name"] = "Käfer"
    data_set.write(json.dumps(data_set.content, ensure_ascii=False).encode(encoding))
    assert data_set.scored() == plain
    assert data_set.registered()["categories"][0]["name"] == "Käfer"


def first(key: str, **values: Any) -> Change:
    """Set fields of the first element of a list."""
    return lambda content: [content[key][0].pop(name, None) if value is ... else content[key][0].update({name: value})
                            for name, value in values.items()]  # fmt: skip


REFUSED: dict[str, tuple[Change, str]] = {
    "no box": (first("annotations", bbox=...), "annotation 1 has no box: its bbox is null"),
    "empty list": (first("annotations", bbox=[]), "annotation 1 has no box: its bbox is []"),
    "three numbers": (first("annotations", bbox=[1, 2, 3]), "annotation 1 has no box: its bbox is [1, 2, 3]"),
    "NaN": (first("annotations", bbox=[1, 2, float("nan"), 4]), "annotation 1 has no box: its bbox is [1, 2, NaN, 4]"),
    "infinite": (
        first("annotations", bbox=[1, 2, float("inf"), 4]),
        "annotation 1 has no box: its bbox is [1, 2, Infinity, 4]",
    ),
    "words": (first("annotations", bbox=["a", 2, 3, 4]), 'annotation 1 has no box: its bbox is ["a", 2, 3, 4]'),
    "true": (first("annotations", bbox=[True, 2, 3, 4]), "annotation 1 has no box"),
    "no width": (first("annotations", bbox=[10, 10, 0, 0]), "annotation 1 has an empty box: bbox [10, 10, 0, 0]"),
    "negative height": (first("annotations", bbox=[10, 10, 5, -2]), "annotation 1 has an empty box"),
    "of a nameless annotation": (first("annotations", id=..., bbox=[]), "annotation number 1 has no box"),
    "area NaN": (first("annotations", area=float("nan")), "annotation 1 has the area NaN"),
    "negative area": (first("annotations", area=-1), "annotation 1 has the area -1"),
    "iscrowd 2": (first("annotations", iscrowd=2), "annotation 1 has the iscrowd 2"),
    "no category": (first("annotations", category_id=...), "annotation 1 has no usable category_id: null"),
    "no image": (first("annotations", image_id=None), "annotation 1 has no usable image_id: null"),
    "unknown image": (first("annotations", image_id=4), "annotation 1 refers to image 4, which is not in the list of images"),
    "two images of an id": (lambda content: content["images"].append(content["images"][0]), "two images have the id 3"),
    "two images of an id, once in quotes": (first("images", id="13"), "two images have the id 13"),
    "two categories of an id": (first("categories", id=2), "two categories have the id 2"),
    "no file_name": (first("images", file_name=...), "image 3 has no file_name"),
    "empty file_name": (first("images", file_name=" "), "image 3 has no file_name"),
    "URL": (first("images", file_name="https://example.org/1.jpg"), "the file_name of image 3 is a URL: https://example.org/"),
    "no id": (first("images", id=...), "image number 1 has no usable id"),
    "true as id": (first("images", id=True), "image number 1 has no usable id"),
    "size in words": (first("images", width="wide"), 'image 3 has the width "wide"'),
    "negative size": (first("images", width=-64), "image 3 has the width -64"),
    "one side": (first("images", width=...), "image 3 has the width null"),
    "another size": (first("images", width=65), "is 64 × 48, annotated as 65 × 48"),
    "missing image": (
        first("images", file_name="none.jpg"),
        "1 of the 12 images that instances_val2017.json names do not exist",
    ),
    "no categories": (lambda content: content.pop("categories"), "has no list of categories"),
    "farther than any image": (first("annotations", bbox=[1e300, 1, 1e300, 4]), "annotation 1 has no box"),
    "text in place of a list": (
        first("annotations", bbox="[1, 2, 3, 4]"),
        'annotation 1 has no box: its bbox is "[1, 2, 3, 4]"',
    ),
    "rotated": (first("annotations", bbox=[1, 2, 3, 4, 0.5]), "annotation 1 has no box: its bbox is [1, 2, 3, 4, 0.5]"),
    "another key for the file": (
        lambda content: [row.update(filename=row.pop("file_name")) for row in content["images"]],
        "image 3 has no file_name",
    ),
    "a number as file_name": (first("images", file_name=7), "image 3 has no file_name, but 7 in its place"),
    "a name that is too long": (first("images", file_name="a" * 5000), "1 of the 12 images"),
    "captions": (
        lambda content: content.update(annotations=[{"id": 1, "image_id": 3, "caption": "a grey square"}]),
        "annotation 1 has no usable category_id: null",
    ),
    "results in place of annotations": (lambda content: None, "a COCO annotation file: it has no list of images"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_annotations_are_rejected_by_name(data_set: DataSet, name: str) -> None:
    change, why = REFUSED[name]
    change(data_set.content)
    data_set.write(b'[{"image_id": 1}]' if name.startswith("results") else None)
    found = data_set.registered()
    assert why in found["error"]
    if name not in (
        "another size",
        "missing image",
        "a name that is too long",
    ):  # the former is not checked at the start of a run
        with pytest.raises(HarnessError) as caught:
            data_set.scored()
        assert why in caught.value.what


def test_rejection_says_what_to_do(data_set: DataSet) -> None:
    hints = {
        "another key for the file": "rename its key 'filename' to file_name",
        "captions": "these are annotations of captions: take the file of instances",
    }
    for name, hint in hints.items():
        again = json.loads(json.dumps(data_set.content))
        REFUSED[name][0](again)
        data_set.write(json.dumps(again).encode())
        assert data_set.registered()["hint"] == hint


def test_gzipped_annotations_are_read(data_set: DataSet) -> None:
    plain = data_set.scored()
    data_set.write(gzip.compress(json.dumps(data_set.content).encode()))
    assert data_set.scored() == plain
    data_set.write(gzip.compress(json.dumps(data_set.content).encode())[:-200])
    assert "is compressed with gzip, and damaged" in data_set.registered()["error"]


LINES = b'{"image_id": 1}\n{"image_id": 2}\n'
# other formats, by content, and their names in the error
OTHERS: dict[str, tuple[bytes, str]] = {
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "it is a pointer of Git LFS"),
    "a web page": (b"<!DOCTYPE html><html></html>", "it is a web page"),
    "ZIP": (b"PK\x03\x04rest", "it is a ZIP archive"),
    "zeros": (bytes(64), "it is zeros and nothing else"),
    "JSON lines": (LINES, "has more data after its JSON object, at character 16"),
    "two objects": (b'{"images": []}{"images": []}', "has more data after its JSON object, at character 14"),
    "VIA": (
        b'{"a.jpg99": {"filename": "a.jpg", "size": 99, "regions": []}}',
        "it looks like an export of the VGG Image Annotator",
    ),
    "Labelme": (b'{"shapes": [], "imagePath": "a.jpg"}', "it looks like Labelme's format"),
    "Label Studio": (b'[{"id": 1, "data": {"image": "a"}, "annotations": []}]', "it looks like Label Studio's own JSON"),
    "Supervisely": (b'{"size": {"height": 1, "width": 1}, "objects": []}', "it looks like Supervisely's format"),
    "CreateML": (b'[{"image": "a.jpg", "annotations": []}]', "it looks like CreateML's format"),
    "results": (
        b'[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]',
        "it looks like COCO's format of results",
    ),
    "a list": (b'[{"images": [], "annotations": []}]', "it looks like a COCO annotation file inside a list"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_file_types_are_identified(data_set: DataSet, name: str) -> None:
    content, kind = OTHERS[name]
    data_set.write(content)
    found = data_set.registered()
    assert kind in found["error"]
    assert found["hint"]


def renamed(data_set: DataSet, on_disk: str, in_file: str) -> None:
    row = data_set.content["images"][0]
    (data_set.images / row["file_name"]).rename(data_set.images / on_disk)
    row["file_name"] = in_file
    data_set.write()


@pytest.mark.parametrize(
    ("on_disk", "in_file"),
    [("K\u00e4fer.jpg", "Ka\u0308fer.jpg"), ("Ka\u0308fer.jpg", "K\u00e4fer.jpg"), ("a photo.jpg", "a%20photo.jpg")],
    ids=["composed on disk", "composed in the file", "escaped"],
)
def test_differently_spelled_name_is_found(data_set: DataSet, on_disk: str, in_file: str) -> None:
    plain = data_set.scored()
    renamed(data_set, on_disk, in_file)
    found = data_set.registered()
    assert Path(found["files"][0]).name == on_disk
    assert any("another case or spelling" in text for text in found["remarks"])
    assert data_set.scored() == plain


def test_ambiguous_name_is_not_found(data_set: DataSet) -> None:
    renamed(data_set, "a.jpg", "A.JPG")
    (data_set.images / "a.JPG").write_bytes((data_set.images / "a.jpg").read_bytes())
    assert "do not exist, the first: A.JPG" in data_set.registered()["error"]


def test_non_image_file_is_identified(data_set: DataSet) -> None:
    first_file = data_set.images / data_set.content["images"][0]["file_name"]
    first_file.write_bytes(b"\0\0\0\x18ftypheic" + bytes(80))
    assert f"the first: {first_file.name} (a HEIC image: convert it to PNG or JPEG)" in data_set.registered()["error"]


def corners(row: dict[str, Any], _: int) -> list[float]:
    x, y, w, h = row["bbox"]
    return [x, y, x + w, y + h]


def shifted(row: dict[str, Any], number: int) -> list[float]:
    x, y, w, h = row["bbox"]
    return [x + 1000, y, w, h] if number < 3 else [x, y, w, h]


REMARKED: dict[str, tuple[Change, str]] = {
    "boxes outside": (every("annotations", bbox=shifted), "boxes that exceed their image: 3, the first ["),
    "corners": (
        every("annotations", bbox=corners),
        "48 of 48 boxes would be inside their image if they were [left, top, right,",
    ),
    "fractions": (every("annotations", bbox=[0.1, 0.2, 0.3, 0.4]), "they look like fractions of the image's size"),
    "areas of nothing": (every("annotations", area=0), "annotations whose area does not fit their box, by which pycocotools"),
    "areas of something else": (every("annotations", area=1e7), "annotations whose area does not fit their box, by which"),
    "names of categories": (first("categories", name="kind 2"), "names that several categories have: 1, the first kind 2"),
    "crowds": (every("annotations", iscrowd=1), "all annotations are crowds (iscrowd 1): mAP is undefined"),
    "nothing": (lambda content: content.update(annotations=[]), "there are no annotations: mAP is undefined"),
    "unknown category": (
        first("annotations", category_id=77),
        "",
    ),
    "category that is not named": (
        first("annotations", category_id=177),
        "annotations of category 177, which is not in the list of categories and is not scored: 1, the first annotation 1",
    ),
    "no category is named": (lambda content: content.update(categories=[]), "no annotation has a category that is in the list"),
    "a file twice": (
        lambda content: content["images"].append({**content["images"][0], "id": 1}),
        "files that several images have: 1",
    ),
}


@pytest.mark.parametrize("name", REMARKED)
def test_suspicious_annotations_are_remarked(data_set: DataSet, name: str) -> None:
    change, remark = REMARKED[name]
    change(data_set.content)
    data_set.write()
    found = data_set.registered()
    assert "error" not in found, found
    assert any(remark in text for text in found["remarks"])


@pytest.mark.parametrize("name", ["crowds", "nothing", "no category is named"])
def test_undefined_map_is_rejected(data_set: DataSet, name: str) -> None:
    REMARKED[name][0](data_set.content)
    data_set.write()
    with pytest.raises(HarnessError, match="mAP is undefined: none of the 12 images has a box that counts") as caught:
        data_set.scored()
    assert "--mode=performance" in caught.value.hint


@pytest.mark.parametrize("ids", ["numbers", "names"])
def test_detections_json_scores_the_same_in_pycocotools(data_set: DataSet, ids: str) -> None:
    if ids == "names":
        rename_ids(lambda number: f"frame_{number:04}")(data_set.content)
        data_set.write()
    figures = data_set.scored(scorer="pycocotools")
    file = data_set.folder / "detections.json"
    rows = json.loads(file.read_text())
    names = {row["id"]: row["name"] for row in data_set.content["categories"]}
    assert len(rows) == figures.detections
    assert {*rows[0]} == {"image_id", "category_id", "category_name", "bbox", "score"}
    assert all(row["category_name"] == names[row["category_id"]] for row in rows)
    assert {row["image_id"] for row in rows} <= {row["id"] for row in data_set.content["images"]}
    truth = COCO(str(data_set.file))
    judge = COCOeval(truth, truth.loadRes(str(file)), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert [float(value) for value in judge.stats[:3]] == [figures.mAP, figures.AP50, figures.AP75]


def test_absolute_image_names_are_accepted(data_set: DataSet, tmp_path: Path) -> None:
    plain = data_set.scored()
    for row in data_set.content["images"]:
        moved = (data_set.images / row["file_name"]).rename(tmp_path / row["file_name"])
        row["file_name"] = str(moved)
    data_set.write()
    assert data_set.registered()["files"] == [row["file_name"] for row in data_set.content["images"]]
    assert data_set.scored() == plain


def test_packed_data_set_reads_nothing_outside_its_folder(data_set: DataSet, tmp_path: Path) -> None:
    outside = (data_set.images / data_set.content["images"][0]["file_name"]).rename(tmp_path / "outside.jpg")
    for name in (str(outside), "../../outside.jpg"):
        data_set.content["images"][0]["file_name"] = name
        data_set.write()
        assert len(data_set.registered()["files"]) == IMAGES
        found = answer({"format": "coco", "path": str(data_set.images), "inside": True})
        assert "1 of the 12 images" in found["error"]

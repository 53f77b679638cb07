"""One data set in four formats: all readers agree, and unreadable parts are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_sets
import pytest
from object_detection.datasets.__main__ import answer
from object_detection.datasets.convert import convert
from object_detection.datasets.header import read_header
from object_detection.datasets.names_file import read_yaml

NAMES = ("cat", "dog", "owl")
Boxes = list[tuple[int, int, list[float]]]  # position of the image, of the category, bbox


class Source:
    """A data set of three categories in a folder, to be written in any format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        content = coco_sets.annotation_file(4, boxes=3)
        self.images = [(row["file_name"], row["width"], row["height"]) for row in content["images"]]
        ids = [row["id"] for row in content["images"]]
        rows = content["annotations"]
        self.boxes: Boxes = [(ids.index(row["image_id"]), n % 3, row["bbox"]) for n, row in enumerate(rows)]

    def copy_images(self, where: str) -> None:
        (self.folder / where).mkdir(parents=True, exist_ok=True)
        for name, width, height in self.images:
            (self.folder / where / name).write_bytes(coco_sets.flat_jpeg(width, height))

    def of(self, image: int) -> Boxes:
        return [row for row in self.boxes if row[0] == image]

    def write(self, where: str, content: str) -> Path:
        path = self.folder / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def made(self, kind: str) -> None:
        """Write the data set in the format of that name."""
        write: dict[str, Callable[[], None]] = {"voc": self.voc, "yolo": self.yolo, "openimages": self.open_images}
        write[kind]()

    def voc(self, images: str = "JPEGImages", xml: str = "Annotations", zero: int = 0, **changes: str) -> None:
        """Corners count pixels from 1, or with `zero` are edges."""
        self.copy_images(images)
        for number, (name, width, height) in enumerate(self.images):
            objects = ""
            for _, kind, (x, y, w, h) in self.of(number):
                near = (x + 1 - zero, y + 1 - zero, x + w, y + h)
                corners = "".join(
                    f"<{key}>{at}</{key}>" for key, at in zip(("xmin", "ymin", "xmax", "ymax"), near, strict=True)
                )
                objects += f"<object><name>{NAMES[kind]}</name><bndbox>{corners}</bndbox></object>"
            size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
            text = f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"
            for old, new in changes.items():
                text = text.replace(f"{old}>", f"{new}>")
            self.write(f"{xml}/{Path(name).stem}.xml", text)

    def yolo(self, images: str = "images/val", labels: str = "labels/val") -> None:
        self.copy_images(images)
        for number, (name, width, height) in enumerate(self.images):
            lines = [
                f"{kind} {(x + w / 2) / width:.8f} {(y + h / 2) / height:.8f} {w / width:.8f} {h / height:.8f}"
                for _, kind, (x, y, w, h) in self.of(number)
            ]
            self.write(f"{labels}/{Path(name).stem}.txt", "\n".join(lines) + "\n")

    def open_images(self, file: str = "validation-annotations-bbox.csv") -> None:
        self.copy_images("validation")
        lines = [
            "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
        ]
        for image, kind, (x, y, w, h) in self.boxes:
            name, width, height = self.images[image]
            edges = f"{x / width},{(x + w) / width},{y / height},{(y + h) / height}"
            lines.append(f"{Path(name).stem},activemil,/m/0{kind},1,{edges},0,0,0,0,0")
        self.write(file, "\n".join(lines) + "\n")
        self.write("class-descriptions-boxable.csv", "".join(f"/m/0{n},{name}\n" for n, name in enumerate(NAMES)))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "set")


def read(kind: str, path: Path, **more: str) -> dict[str, Any]:
    found = answer({"format": kind, "path": str(path), **more})
    assert "error" not in found, found
    return found


def agree(source: Source, kind: str, path: Path, **more: str) -> dict[str, Any]:
    """The data set equals `source` to a thousandth of a pixel."""
    file = source.folder.parent / "as_coco.json"
    found = read(kind, path, coco=str(file), **more)
    content = json.loads(file.read_text())
    assert [(Path(row["file_name"]).name, row["width"], row["height"]) for row in content["images"]] == source.images
    assert [row["name"] for row in content["categories"]] == list(NAMES)
    assert [row["id"] for row in content["categories"]] == [1, 2, 3]
    images = [row["id"] for row in content["images"]]
    boxes = [(images.index(row["image_id"]), row["category_id"] - 1, row["bbox"]) for row in content["annotations"]]
    assert [row[:2] for row in boxes] == [row[:2] for row in source.boxes]
    for (*_, mine), (*_, its) in zip(boxes, source.boxes, strict=True):
        assert mine == pytest.approx(its, abs=1e-3)
    return found


VOC_LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {
    "of the challenge": ({}, ""),
    "of a labelling tool": ({"images": ".", "xml": "."}, ""),
    "an image": ({}, "JPEGImages/000000000003.jpg"),
    "the image folder": ({}, "JPEGImages"),
}


@pytest.mark.parametrize("name", VOC_LAYOUTS)
def test_pascal_voc_is_read(source: Source, name: str) -> None:
    options, path = VOC_LAYOUTS[name]
    source.voc(**options)
    found = agree(source, "voc", source.folder / path)
    assert [text for text in found["remarks"] if "order of the categories is unknown" not in text] == []


def test_pascal_voc_with_zero_based_coordinates_is_read_with_remark(source: Source) -> None:
    source.boxes[0] = (0, 0, [0, 0, 9, 9])
    source.voc(zero=1)
    found = agree(source, "voc", source.folder)
    assert any("coordinates start at 0" in text for text in found["remarks"])


def test_image_list_selects_part_of_pascal_voc(source: Source) -> None:
    source.voc()
    listed = source.write("ImageSets/Main/val.txt", "000000000023\n000000000003 -1\n")
    found = read("voc", source.folder, annotations=str(listed))
    assert found["archived"] == ["JPEGImages/000000000023.jpg", "JPEGImages/000000000003.jpg"]


def test_names_file_sets_category_order(source: Source) -> None:
    source.voc()
    names = source.write("mine.txt", "owl\ndog\ncat\nbat\n")
    found = read("voc", source.folder, names=str(names))
    assert [(row["id"], row["name"]) for row in found["categories"]] == [(1, "owl"), (2, "dog"), (3, "cat"), (4, "bat")]
    names.write_text("owl\ndog\n")
    assert "is a 'cat', which the list of names does not have" in answer(
        {"format": "voc", "path": str(source.folder), "names": str(names)}
    )["error"]  # fmt: skip


def test_voc_classes_have_challenge_order(source: Source) -> None:
    source.voc()
    for path in (source.folder / "Annotations").iterdir():
        path.write_text(path.read_text().replace("<name>owl<", "<name>tvmonitor<"))
    found = read("voc", source.folder)
    assert [row["id"] for row in found["categories"] if row["boxes"]] == [8, 12, 20]
    assert not any("order of the categories" in text for text in found["remarks"])


def test_difficult_objects_are_crowds(source: Source) -> None:
    source.voc()
    path = source.folder / "Annotations/000000000003.xml"
    path.write_text(path.read_text().replace("</name>", "</name><difficult>1</difficult>", 1))
    found = read("voc", source.folder)
    assert found["crowds"] == 1
    assert any(text.startswith("difficult objects, which are not scored") for text in found["remarks"])


YOLO_YAML = {
    "list": "path: .\ntrain: images/train\nval: images/val  # here\n\nnc: 3\nnames: ['cat', \"dog\", owl]\n",
    "list on lines": "val: images/val\nnames: [cat,\n  dog,\n  owl]\n",
    "items": "val: images/val\nnames:\n- cat\n- dog\n- 'owl'\n",
    "numbers": "path: ../set\nval: images/val\nnames:\n  0: cat\n  1: dog\n  2: owl\n",
    "object": "val: ../images/val\nnames: {0: cat, 1: 'dog', 2: owl}\n",
}


@pytest.mark.parametrize("name", YOLO_YAML)
@pytest.mark.parametrize("path", ["", "data.yaml", "images/val", "images/val/000000000003.jpg"])
def test_yolo_with_yaml_file_is_read(source: Source, name: str, path: str) -> None:
    source.yolo()
    source.write("data.yaml", YOLO_YAML[name])
    assert agree(source, "yolo", source.folder / path)["remarks"] == []


def test_yolo_with_labels_next_to_images_is_read(source: Source) -> None:
    source.yolo(images="obj", labels="obj")
    source.write("obj/classes.txt", "cat\ndog\nowl\n")
    assert agree(source, "yolo", source.folder / "obj")["remarks"] == []


def test_yolo_with_separate_labels_is_read(source: Source, tmp_path: Path) -> None:
    source.yolo(images="pictures", labels="texts")
    names = source.write("names.txt", "cat\ndog\nowl\n")
    given = {"annotations": str(source.folder / "texts"), "names": str(names)}
    agree(source, "yolo", source.folder / "pictures", **given)
    missing = answer({"format": "yolo", "path": str(source.folder / "pictures")})
    assert "has no labels" in missing["error"]
    assert "--annotations=" in missing["hint"]


def test_yolo_classes_without_names_are_numbered(source: Source) -> None:
    source.yolo()
    found = read("yolo", source.folder)
    assert [row["name"] for row in found["categories"]] == ["0", "1", "2"]
    assert any("no data.yaml or classes.txt" in text for text in found["remarks"])


def test_yolo_polygons_become_boxes_and_unlabelled_images_are_empty(source: Source) -> None:
    source.yolo()
    source.write("labels/val/000000000003.txt", "0 0.25 0.5 0.5 0.25 0.75 0.75\n")
    (source.folder / "labels/val/000000000013.txt").unlink()
    file = source.folder / "out.json"
    found = read("yolo", source.folder, coco=str(file))
    width, height = source.images[0][1:]
    first = json.loads(file.read_text())["annotations"][0]
    assert first["bbox"] == pytest.approx([0.25 * width, 0.25 * height, 0.5 * width, 0.5 * height])
    assert "polygons, read as the boxes around them: 1, the first line 1 of 000000000003.txt" in found["remarks"]
    assert found["annotated"] == 3


def test_open_images_are_read(source: Source) -> None:
    source.open_images()
    assert agree(source, "openimages", source.folder / "validation")["remarks"] == []
    (source.folder / "class-descriptions-boxable.csv").unlink()
    found = read("openimages", source.folder / "validation")
    assert [row["name"] for row in found["categories"]] == ["/m/00", "/m/01", "/m/02"]


def test_part_of_open_images_is_a_data_set(source: Source) -> None:
    source.open_images()
    (source.folder / "validation" / source.images[0][0]).unlink()
    found = read("openimages", source.folder / "validation")
    assert (found["count"], found["boxes"]) == (3, 9)
    assert any("annotations of images that are not in the folder: 3" in text for text in found["remarks"])


FAULTS: dict[str, tuple[str, Callable[[Source], object], str]] = {
    "not XML": (
        "voc",
        lambda s: s.write("Annotations/000000000003.xml", "<annotation>"),
        "000000000003.xml is not readable as XML",
    ),
    "other XML": ("voc", lambda s: s.write("Annotations/000000000003.xml", "<html/>"), "is not an annotation of Pascal VOC"),
    "no corner": ("voc", lambda s: s.voc(xmax="x"), "object 1 in 000000000003.xml has no box"),
    "no image": ("voc", lambda s: s.write("Annotations/none.xml", "<annotation/>"), "no image for none.xml"),
    "no name": ("voc", lambda s: s.voc(name="label"), "object 1 in 000000000003.xml has no name"),
    "words": (
        "yolo",
        lambda s: s.write("labels/val/000000000003.txt", "cat 1 2 3 4\n"),
        "line 1 of 000000000003.txt is not a box",
    ),
    "three": (
        "yolo",
        lambda s: s.write("labels/val/000000000003.txt", "\n0 .1 .2 .3\n"),
        "line 2 of 000000000003.txt is not a box",
    ),
    "NaN": (
        "yolo",
        lambda s: s.write("labels/val/000000000003.txt", "0 nan .2 .3 .4\n"),
        "line 1 of 000000000003.txt is not a box",
    ),
    "score": (
        "yolo",
        lambda s: s.write("labels/val/000000000003.txt", "0 .1 .2 .3 .4 .9\n"),
        "it is a detection, not an annotation",
    ),
    "pixels": ("yolo", lambda s: s.write("labels/val/000000000003.txt", "0 20 20 9 9\n"), "not a fraction of the image"),
    "class": (
        "yolo",
        lambda s: s.write("labels/val/000000000003.txt", "7 .1 .2 .1 .1\n"),
        "is of class 7, and there are 3 names",
    ),
    "columns": (
        "openimages",
        lambda s: s.write("validation-annotations-bbox.csv", "ImageID,x\n"),
        "it has no column LabelName",
    ),
    "line": (
        "openimages",
        lambda s: s.write(
            "validation-annotations-bbox.csv", "ImageID,LabelName,XMin,XMax,YMin,YMax\n000000000003,/m/00,0,a,0,1\n"
        ),
        "line 2 has no box",
    ),
    "label": (
        "openimages",
        lambda s: s.write(
            "validation-annotations-bbox.csv", "ImageID,LabelName,XMin,XMax,YMin,YMax\n000000000003,/m/9,0,1,0,1\n"
        ),
        "line 2 has the label /m/9, which",
    ),
    "long column": (
        "openimages",
        lambda s: s.write("validation-annotations-bbox.csv", f"{'ImageID' * 50_000},LabelName\n"),
        "line 1 is not CSV: field larger than field limit",
    ),
    "long name": (
        "openimages",
        lambda s: s.write("class-descriptions-boxable.csv", f"/m/00,{'cat' * 50_000}\n"),
        "class-descriptions-boxable.csv is not CSV: field larger than field limit",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_errors_name_file_and_line(source: Source, name: str) -> None:
    kind, damage, why = FAULTS[name]
    source.made(kind)
    if kind == "yolo":
        source.write("data.yaml", YOLO_YAML["items"])
    damage(source)
    path = source.folder / "validation" if kind == "openimages" else source.folder
    found = answer({"format": kind, "path": str(path)})
    assert why in found.get("error", "it was read")
    assert found["hint"]


def test_class_numbers_have_no_gaps(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: {0: cat, 2: owl}\n")
    with pytest.raises(Exception, match="the numbers of names are not 0 to 1"):
        read_yaml(tmp_path / "data.yaml")


@pytest.mark.parametrize("kind", ["voc", "yolo", "openimages"])
def test_conversion_is_readable_by_the_harness(source: Source, tmp_path: Path, kind: str) -> None:
    source.made(kind)
    path = source.folder / "validation" if kind == "openimages" else source.folder
    output = tmp_path / "converted"
    output.mkdir()
    convert(kind, {"given": {"path": str(path)}}, tmp_path, output)
    described = json.loads((output / "dataset.json").read_text())
    assert str(tmp_path) not in (output / "dataset.json").read_text()  # it is a part of the digest
    images = Path(read(kind, path)["images"])
    found = read("coco", images, annotations=str(output / described["annotations"]))
    assert (found["count"], found["boxes"]) == (described["count"], described["boxes"]) == (4, 12)


def test_every_input_file_is_listed(source: Source) -> None:
    source.voc()
    found = read("voc", source.folder)
    files = {path for path in source.folder.rglob("*") if path.is_file()}
    assert {Path(path) for path in (*found["files"], *found["sources"])} >= files
    assert str(source.folder / "Annotations") in found["sources"]  # an additional file is an additional image
    shutil.rmtree(source.folder)
    source.yolo()
    source.write("data.yaml", YOLO_YAML["items"])
    found = read("yolo", source.folder)
    files = {path for path in source.folder.rglob("*") if path.is_file()}
    assert {Path(path) for path in (*found["files"], *found["sources"])} >= files


def test_small_jpeg_header(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(coco_sets.flat_jpeg(33, 21))
    header = read_header(tmp_path / "a.jpg")
    assert header is not None
    assert (header.width, header.height, header.orientation) == (33, 21, 1)

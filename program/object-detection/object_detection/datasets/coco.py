"""Read COCO annotations, as written by COCO and labelling tools.

Data with one clear meaning is corrected: ids of annotations are not used, missing fields get COCO's defaults, numbers may be in
quotes. Ambiguous data is an error that names the annotation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path
from typing import Any

from object_detection.datasets.document import read_lists, read_text
from object_detection.datasets.draft import Draft
from object_detection.datasets.header import read_header
from object_detection.datasets.place import Folder, is_url
from object_detection.datasets.truth import Truth
from object_detection.datasets.values import EXACT, flag, identity, number, whole
from object_detection.errors import HarnessError
from object_detection.progress import Throttle

_AN_ID = "an id is a number or a text"
_FARTHEST = 1e9  # pixels; beyond it a number is not a place in an image
_NUMBERS = frozenset({int, float})  # not bool
_PLAIN = itemgetter("id", "image_id", "category_id", "bbox", "area", "iscrowd")
_ROUNDING = 1.5  # how much larger than its box an area may be: polygons are drawn around the box's pixels
# keys of annotations that have no boxes of categories, and what they are of
_NO_BOXES = {"segments_info": "panoptic segmentation", "caption": "captions"}


def read_coco(file: Path, folder: Folder) -> Truth:
    """Read an annotation file.

    Parameters
    ----------
    folder
        The images, which are only opened if the annotations have no size.

    Raises
    ------
    HarnessError
        If it is not a COCO annotation file, or has ambiguous data.
    """
    text, remark = read_text(file)
    reader = _Reader(file)
    reader.draft.remarks.say(remark)
    report = Throttle(f"reading {file.name}", round(len(text) / 1e6, 1), "MB", late=True)
    found = read_lists(
        file,
        text,
        {"images": reader.image, "annotations": reader.annotation, "categories": reader.category},
        lambda position: report(round(position / 1e6, 1)),
    )
    for key in ("images", "annotations", "categories"):
        if key not in found:
            raise HarnessError(f"{file} is not a COCO annotation file: it has no list of {key}")
    del text
    _fill_sizes(reader.draft, folder)
    return reader.draft.finish()


class _Reader:
    """Handles the elements of the three lists."""

    def __init__(self, file: Path) -> None:
        self.draft = Draft(str(file))
        self._images = self._annotations = self._categories = 0

    def image(self, row: Any) -> None:
        """An element of `images`."""
        self._images += 1
        key = identity(row.get("id")) if isinstance(row, dict) else None
        if key is None:
            raise self.draft.error(f"image number {self._images} has no usable id: {_shown(row)}", _AN_ID)
        where = f"image {key}"
        name = row.get("file_name")
        if not isinstance(name, str) or not name.strip():
            state = f"has no file_name, but {_shown(name)} in its place" if name else "has no file_name"
            alike = get_close_matches("file_name", [key for key in row if key != "file_name"], 1)
            raise self.draft.error(
                f"{where} {state}",
                f"rename its key {alike[0]!r} to file_name"
                if alike
                else "add it: the name of the file, relative to the folder of images",
            )
        if is_url(name):
            raise self.draft.error(
                f"the file_name of {where} is a URL: {name[:200]}",
                "download the images, and set file_name to their names in the image folder",
            )
        if isinstance(row["id"], str):
            self.draft.remarks.add("images whose id is a text, which pycocotools may not take", where)
        self.draft.image(key, name, *self._size(row, where), named=row["id"])

    def _size(self, row: Mapping[str, object], where: str) -> tuple[int, int]:
        """Width and height; 0 × 0 if missing."""
        given = row.get("width"), row.get("height")
        if given in ((None, None), (0, 0)):
            self.draft.remarks.add("images without width and height, which are taken from the files", where)
            return 0, 0
        width, height = map(whole, given)
        if width is None or height is None or width <= 0 or height <= 0:
            raise self.draft.error(
                f"{where} has the width {_shown(given[0])} and the height {_shown(given[1])}",
                "they are numbers of pixels; omit both to take them from the file",
            )
        if isinstance(given[0], str) or isinstance(given[1], str):
            self.draft.remarks.add("images whose width and height are in quotes, read as numbers", where)
        return width, height

    def category(self, row: Any) -> None:
        """An element of `categories`."""
        self._categories += 1
        key = identity(row.get("id")) if isinstance(row, dict) else None
        if key is None:
            raise self.draft.error(f"category number {self._categories} has no usable id: {_shown(row)}", _AN_ID)
        name = row.get("name")
        if not isinstance(name, str):
            self.draft.remarks.add("categories without a name, which are named by their id", f"category {key}")
        self.draft.category(key, name if isinstance(name, str) else str(key), named=row["id"])

    def annotation(self, row: Any) -> None:
        """An element of `annotations`."""
        self._annotations += 1
        if not self._plain(row):
            self._checked(row)

    def _plain(self, row: Any) -> bool:
        """Add an annotation as COCO writes it, which needs no correction; return whether it is one: most of a million are."""
        try:
            own, image, category, box, area, crowd = _PLAIN(row)
            x, y, width, height = box
        except (KeyError, TypeError, ValueError):
            return False
        if (
            type(own) is type(image) is type(category) is type(crowd) is int
            and type(box) is list
            and type(x) in _NUMBERS and type(y) in _NUMBERS and type(width) in _NUMBERS and type(height) in _NUMBERS
            and type(area) in _NUMBERS
            and -EXACT < own < EXACT and -EXACT < image < EXACT and -EXACT < category < EXACT
            and -_FARTHEST <= x <= _FARTHEST and -_FARTHEST <= y <= _FARTHEST  # NaN is within no bounds
            and 0 < width <= _FARTHEST and 0 < height <= _FARTHEST
            and 0 < area <= _ROUNDING * width * height + 1
            and 0 <= crowd <= 1
            and (crowd or not row.get("ignore"))
        ):  # fmt: skip
            self.draft.box(image, category, (x, y, width, height), f"annotation {own}", area, crowd)
            return True
        return False

    def _checked(self, row: Any) -> None:
        """Add an annotation after checks and corrections of all its values."""
        if not isinstance(row, dict):
            raise self.draft.error(f"annotation number {self._annotations} is not an object: {_shown(row)}")
        given = identity(row.get("id"))
        where = f"annotation {given}" if given is not None else f"annotation number {self._annotations}"
        image, category = identity(row.get("image_id")), identity(row.get("category_id"))
        if image is None:
            raise self.draft.error(f"{where} has no usable image_id: {_shown(row.get('image_id'))}", "add it")
        if category is None:
            kind = next((text for key, text in _NO_BOXES.items() if key in row), "")
            raise self.draft.error(
                f"{where} has no usable category_id: {_shown(row.get('category_id'))}",
                f"these are annotations of {kind}: take the file of instances" if kind else "name its category",
            )
        if row.get("ignore") and not row.get("iscrowd"):
            self.draft.remarks.add("annotations with ignore, which is not used: pycocotools ignores crowds (iscrowd 1)", where)
        box = self._box(row, where)
        self.draft.box(image, category, box, where, self._area(row, box, where), self._crowd(row, where))

    def _box(self, row: Mapping[str, object], where: str) -> tuple[float, float, float, float]:
        given: Any = row.get("bbox")
        values = [number(value) for value in given] if isinstance(given, list) and len(given) == 4 else []
        if len(values) != 4 or None in values or any(abs(value) > _FARTHEST for value in values if value is not None):
            more = "; it has a segmentation, from which the bbox can be computed" if row.get("segmentation") else ""
            raise self.draft.error(
                f"{where} has no box: its bbox is {_shown(given)}",
                f"a bbox is four finite numbers: [x, y, width, height]{more}",
            )
        if any(isinstance(value, str) for value in given):
            self.draft.remarks.add("annotations whose bbox is in quotes, read as numbers", where)
        x, y, width, height = values
        assert x is not None
        assert y is not None
        assert width is not None
        assert height is not None
        return x, y, width, height

    def _area(self, row: Mapping[str, object], box: tuple[float, float, float, float], where: str) -> float | None:
        """The area; None for that of the box."""
        given = row.get("area")
        if given is None:
            self.draft.remarks.add("annotations without area, taken as width × height", where)
            return None
        area = number(given)
        if area is None or area < 0:
            raise self.draft.error(
                f"{where} has the area {_shown(given)}",
                "an area is a number of square pixels; omit it to use width × height",
            )
        if area == 0 or area > _ROUNDING * box[2] * box[3] + 1:
            self.draft.remarks.add(
                "annotations whose area does not fit their box, by which pycocotools tells small objects from large ones", where
            )
        return area

    def _crowd(self, row: Mapping[str, object], where: str) -> int:
        if "iscrowd" not in row:
            self.draft.remarks.add("annotations without iscrowd, taken as 0", where)
            return 0
        crowd = flag(row["iscrowd"])
        if crowd is None:
            raise self.draft.error(f"{where} has the iscrowd {_shown(row['iscrowd'])}", "iscrowd is 0, or 1 for a group")
        if row["iscrowd"] is None or isinstance(row["iscrowd"], str):
            self.draft.remarks.add("annotations whose iscrowd is null or in quotes, read as a number", where)
        return crowd


def _fill_sizes(draft: Draft, folder: Folder) -> None:
    """Read sizes that the annotations lack from the files."""
    for position, name in draft.named_images():
        path = folder.find(name)
        header = read_header(path) if path else None
        if header is None or not header.width:
            state = "is not an image" if path else f"is not in {folder.path}"
            raise draft.error(f"{name} has no width and height, and {state}", "add them to the annotations")
        draft.sized(position, header.width, header.height)


def _shown(value: Any) -> str:
    """A value as JSON, shortened."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 100 else f"{text[:100]}…"

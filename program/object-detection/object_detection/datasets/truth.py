"""A data set in memory: images, categories, and the boxes in columns."""

from __future__ import annotations

import json
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from object_detection.datasets.coco_format import CocoAnnotation, CocoData, CocoImage

Identity = int | str


@dataclass(frozen=True)
class Image:
    """An image.

    Attributes
    ----------
    id
        A unique number; the file's own id if all ids in the file are numbers.
    named
        The id in the annotations.
    name
        Its file, relative to the image folder, with ``/`` as separator.
    width, height
        Pixels.
    """

    id: int
    named: Identity
    name: str
    width: int
    height: int


@dataclass(frozen=True)
class Category:
    """A category; `id` and `named` as for images."""

    id: int
    named: Identity
    name: str


@dataclass
class Boxes:
    """Columns of equal length, in the order of the file: a million boxes take 57 MB.

    Attributes
    ----------
    image, category
        Indices of images and categories; -1 for a category that the file does not declare.
    corner
        Four numbers for each box: x, y, width, height, in pixels.
    area
        Square pixels.
    crowd
        1 for a group of objects, which is not scored.
    """

    image: array[int] = field(default_factory=lambda: array("q"))
    category: array[int] = field(default_factory=lambda: array("q"))
    corner: array[float] = field(default_factory=lambda: array("d"))
    area: array[float] = field(default_factory=lambda: array("d"))
    crowd: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.image)

    def add(self, image: int, category: int, box: tuple[float, float, float, float], area: float, crowd: int) -> None:
        """Append a box.

        Parameters
        ----------
        image, category
            Indices of image and category; -1 for a category that the file does not declare.
        box
            x, y, width and height, pixels.
        area
            Square pixels.
        crowd
            1 for a group of objects, which is not scored.
        """
        self.image.append(image)
        self.category.append(category)
        self.corner.extend(box)
        self.area.append(area)
        self.crowd.append(crowd)

    def box(self, number: int) -> list[float]:
        """x, y, width, height."""
        return self.corner[4 * number : 4 * number + 4].tolist()


@dataclass(frozen=True)
class Truth:
    """The content of annotations.

    Attributes
    ----------
    remarks
        Corrections and suspicious data, one sentence each.
    """

    images: tuple[Image, ...]
    categories: tuple[Category, ...]
    boxes: Boxes
    remarks: tuple[str, ...] = ()

    def scored(self, images: Collection[int] | None = None) -> int:
        """The number of boxes that count for mAP: no crowds, and with a known category. `images` are indices; None for all."""
        boxes = self.boxes
        wanted = None if images is None else frozenset(images)
        return sum(
            1
            for image, category, crowd in zip(boxes.image, boxes.category, boxes.crowd, strict=True)
            if not crowd and category >= 0 and (wanted is None or image in wanted)
        )

    def annotated(self) -> frozenset[int]:
        """Indices of the images that have a box."""
        return frozenset(self.boxes.image)

    def as_coco(self, images: Collection[int] | None = None) -> CocoData:
        """The data set, or some of its images, in the form for COCO's tools: ids are numbers, and no field is missing."""
        wanted = range(len(self.images)) if images is None else sorted(images)
        return {
            "info": {},
            "images": [_image(self.images[number], self.images[number].id) for number in wanted],
            "categories": [{"id": row.id, "name": row.name} for row in self.categories],
            "annotations": list(self._annotations(frozenset(wanted))),
        }

    def _annotations(self, images: Collection[int]) -> Iterator[CocoAnnotation]:
        boxes = self.boxes
        for number, image in enumerate(boxes.image):
            if image in images and boxes.category[number] >= 0:
                yield {
                    "id": number + 1,
                    "image_id": self.images[image].id,
                    "category_id": self.categories[boxes.category[number]].id,
                    "bbox": boxes.box(number),
                    "area": boxes.area[number],
                    "iscrowd": boxes.crowd[number],
                }

    def write_coco(self, file: Path, images: Collection[int] | None = None) -> None:
        """Write the data set, or some of its images, in COCO's format.

        Boxes are written one by one, so that memory does not grow with their number; those of undeclared categories are
        skipped.

        Parameters
        ----------
        images
            Indices of images; None for all.
        """
        images = range(len(self.images)) if images is None else sorted(images)
        with open(file, "w", encoding="utf-8") as out:
            out.write('{"info": {}, "images": [\n')
            out.write(",\n".join(json.dumps(_image(self.images[number], self.images[number].id)) for number in images))
            out.write('\n], "categories": [\n')
            out.write(",\n".join(json.dumps({"id": row.id, "name": row.name}) for row in self.categories))
            out.write('\n], "annotations": [\n')
            for number, row in enumerate(self._annotations(frozenset(images))):
                out.write(f"{',' if number else ''}{json.dumps(row)}\n")
            out.write("]}\n")


def _image(row: Image, number: int) -> CocoImage:
    return {"id": number, "file_name": row.name, "width": row.width, "height": row.height}

"""The objects of COCO's formats: annotations, and results of detection; https://cocodataset.org/#format-data."""

from __future__ import annotations

from typing import TypedDict


class CocoImage(TypedDict):
    """An image; its size is in pixels."""

    id: int
    file_name: str
    width: int
    height: int


class CocoCategory(TypedDict):
    """A category."""

    id: int
    name: str


class CocoAnnotation(TypedDict):
    """An object; `bbox` is [x, y, width, height] in pixels, `iscrowd` is 1 for a group that is not scored."""

    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    area: float
    iscrowd: int


class CocoData(TypedDict):
    """The content of an annotation file."""

    info: dict[str, str]
    images: list[CocoImage]
    categories: list[CocoCategory]
    annotations: list[CocoAnnotation]


class CocoResult(TypedDict):
    """A detection; `bbox` is [x, y, width, height] in pixels, `score` is between 0 and 1."""

    image_id: int
    category_id: int
    bbox: list[float]
    score: float

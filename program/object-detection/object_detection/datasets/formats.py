"""The supported formats of annotations."""

from __future__ import annotations

from collections.abc import Callable

from object_detection.datasets.layout import find_coco
from object_detection.datasets.open_images import find_open_images
from object_detection.datasets.source import Request, Source
from object_detection.datasets.voc import find_voc
from object_detection.datasets.yolo import find_yolo
from object_detection.errors import HarnessError

FORMATS: dict[str, Callable[[Request], Source]] = {
    "coco": find_coco,
    "openimages": find_open_images,
    "voc": find_voc,
    "yolo": find_yolo,
}


def find(kind: str, request: Request) -> Source:
    """Read a data set in one of the formats.

    Raises
    ------
    HarnessError
        If the format is unknown, or the data set cannot be read.
    """
    if kind not in FORMATS:
        raise HarnessError(f"{kind!r} is not a format of annotations", f"known: {', '.join(FORMATS)}")
    for path in (request.annotations, request.names):
        if path is not None and not path.exists():
            raise HarnessError(f"{path} does not exist", "give an existing file")
    return FORMATS[kind](request)

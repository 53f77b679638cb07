"""Other formats of annotations in JSON, which are not read: an error about one names it."""

from __future__ import annotations

from itertools import islice
from typing import Any

_FEW = 3  # elements that are checked
# required keys of the document, and its format
_OBJECTS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"_via_img_metadata"}), "a project of the VGG Image Annotator"),
    (frozenset({"shapes", "imagePath"}), "Labelme's format, a file for each image"),
    (frozenset({"objects", "size"}), "Supervisely's format, a file for each image"),
    (frozenset({"frames", "tagging"}), "a project of VoTT"),
    (frozenset({"assets", "tags"}), "a project of VoTT"),
    (frozenset({"samples"}), "FiftyOne's own format"),
    (frozenset({"items", "categories"}), "Datumaro's format"),
)
_ELEMENTS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"image_id", "category_id", "score"}), "COCO's format of results, not of annotations"),
    (frozenset({"image_id", "bbox"}), "COCO's format of results, not of annotations"),
    (frozenset({"data", "annotations"}), "Label Studio's own JSON"),
    (frozenset({"data", "completions"}), "Label Studio's own JSON"),
    (frozenset({"image", "annotations"}), "CreateML's format"),
    (frozenset({"name", "labels"}), "BDD100K's format"),
    (frozenset({"filename", "regions"}), "an export of the VGG Image Annotator"),
    (frozenset({"images", "annotations"}), "a COCO annotation file inside a list"),
    (frozenset({"data_row"}), "Labelbox's format"),
)


def format_of(document: Any) -> str:
    """What a JSON document is, by its keys; empty if nothing that is known.

    >>> format_of([{"data": {}, "annotations": []}])
    "Label Studio's own JSON"
    """
    if isinstance(document, dict):
        for keys, name in _OBJECTS:
            if keys <= document.keys():
                return name
        document = [*islice(document.values(), _FEW)]
    if isinstance(document, list):
        first = [row for row in document[:_FEW] if isinstance(row, dict)]
        for keys, name in _ELEMENTS:
            if any(keys <= row.keys() for row in first):
                return name
    return ""

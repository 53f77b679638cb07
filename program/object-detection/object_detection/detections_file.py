"""Write detections.json: detections in COCO's format of results, for other tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from object_detection.annotations import ImageList
from object_detection.datasets.coco_format import CocoResult
from object_detection.logs import Found

DETECTIONS = "detections.json"
_NAMES = 5  # maximum number of categories in a remark


def write_detections(images: ImageList, results: Sequence[CocoResult], file: Path) -> None:
    """Write results with the ids of the annotation file, and the names of the categories.

    pycocotools' ``COCO.loadRes`` reads the file; it ignores the names.

    Parameters
    ----------
    results
        As from `as_coco`.
    """
    image_ids = {
        images.ids[index]: json.dumps(images.truth.images[sample].named) for index, sample in enumerate(images.samples)
    }
    categories = {
        row.id: (json.dumps(row.named), f',"category_name":{json.dumps(row.name)}') for row in images.truth.categories
    }
    with open(file, "w", encoding="utf-8") as out:
        out.write("[")
        for number, row in enumerate(results):
            kind, name = categories.get(row["category_id"], (str(row["category_id"]), ""))
            left, top, width, height = row["bbox"]
            out.write(",\n" if number else "\n")
            out.write(  # the bytes of json.dumps in half of its time
                f'{{"image_id":{image_ids[row["image_id"]]},"category_id":{kind},'
                f'"bbox":[{left!r},{top!r},{width!r},{height!r}],"score":{row["score"]!r}{name}}}'
            )
        out.write("\n]\n")


def unanswered(images: ImageList, found: Found, results: Sequence[CocoResult]) -> str:
    """A remark about annotated categories of the images without any detection.

    Parameters
    ----------
    found
        Detections by sample index.
    results
        The same in COCO's format.

    Returns
    -------
    str
        Empty if every annotated category has a detection.
    """
    seen = {images.samples[index] for index in found}
    boxes = images.truth.boxes
    annotated = {kind for image, kind in zip(boxes.image, boxes.category, strict=True) if kind >= 0 and image in seen}
    answered = {row["category_id"] for row in results}
    rows = [images.truth.categories[kind] for kind in sorted(annotated)]
    missing = [row.name for row in rows if row.id not in answered]
    if not missing:
        return ""
    names = ", ".join(missing[:_NAMES]) + (", …" if len(missing) > _NAMES else "")
    return f"the model never detects {len(missing)} of the {len(rows)} annotated categories: {names}"

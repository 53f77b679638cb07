"""Report suspicious data: boxes outside their image, other units or orders, nothing to score."""

from __future__ import annotations

from collections import Counter

from object_detection.datasets.remarks import Remarks
from object_detection.datasets.truth import Truth

_ROUNDING = 1.0  # pixels that a box may exceed its image by, because tools round edges
_MANY = 0.05  # share of boxes outside their image above which other interpretations are tried
_NEARLY_ALL = 0.99
_NAMES = 5  # maximum number of categories in a remark


def look(truth: Truth, remarks: Remarks) -> None:
    """Add remarks about suspicious data.

    Parameters
    ----------
    truth
        The content of the annotations, which is not changed.
    remarks
        Where remarks are added: boxes outside their image, other orders and units of boxes, unused and unknown categories,
        files of
        several images, and data without a box to score.
    """
    _look_at_boxes(truth, remarks)
    _look_at_categories(truth, remarks)
    names = Counter(row.name for row in truth.images)
    for name, count in names.items():
        if count > 1:
            remarks.add("files that several images have", name)
    if not len(truth.boxes):
        remarks.say("there are no annotations: mAP is undefined, and only --mode=performance can be run")
    elif not truth.scored():
        crowds = all(truth.boxes.crowd)
        why = "all annotations are crowds (iscrowd 1)" if crowds else "no annotation has a category that is in the list"
        remarks.say(f"{why}: mAP is undefined, and only --mode=performance can be run")


def _look_at_boxes(truth: Truth, remarks: Remarks) -> None:
    boxes = truth.boxes
    outside = corners = fractions = 0
    first = -1
    ends = [(row.width + _ROUNDING, row.height + _ROUNDING) for row in truth.images]
    columns = (boxes.corner[at::4] for at in range(4))
    for number, (image, x, y, width, height) in enumerate(zip(boxes.image, *columns, strict=True)):
        right, bottom = ends[image]
        if x < -_ROUNDING or y < -_ROUNDING or x + width > right or y + height > bottom:
            outside += 1
            first = number if first < 0 else first
        corners += x < width <= right and y < height <= bottom
        fractions += x + width <= 1.001 and y + height <= 1.001
    total = len(boxes)
    if total and fractions >= _NEARLY_ALL * total:
        remarks.say(
            f"{fractions} of {total} boxes are smaller than a pixel: they look like fractions of the image's size; "
            "COCO's bbox is in pixels"
        )
    if outside:
        row = truth.images[boxes.image[first]]
        remarks.add("boxes that exceed their image", f"{[*map(_short, boxes.box(first))]} in {row.name}", outside)
    if outside >= _MANY * total and corners >= _NEARLY_ALL * total and outside:
        remarks.say(
            f"{corners} of {total} boxes would be inside their image if they were [left, top, right, bottom]; "
            "COCO's bbox is [x, y, width, height]"
        )


def _look_at_categories(truth: Truth, remarks: Remarks) -> None:
    used = frozenset(truth.boxes.category)
    unused = [row for number, row in enumerate(truth.categories) if number not in used]
    if unused and len(truth.boxes):
        names = ", ".join(row.name for row in unused[:_NAMES]) + (", …" if len(unused) > _NAMES else "")
        remarks.say(f"categories without an annotation: {len(unused)} of {len(truth.categories)}: {names}")
    for name, count in Counter(row.name for row in truth.categories).items():
        if count > 1:
            remarks.add("names that several categories have", name)


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 2)

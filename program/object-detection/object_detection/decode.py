"""From raw outputs to detections: classes, units, and suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from object_detection.backends import Array
from object_detection.cells import in_pixels
from object_detection.detections import WIDTH, Rows
from object_detection.frame import Frame, in_image
from object_detection.outputs import OutputCheck
from object_detection.spec import Model
from object_detection.suppress import suppressed

_TO_YXYX = {"yxyx": (0, 1, 2, 3), "xyxy": (1, 0, 3, 2)}


def decoded(
    model: Model,
    indices: Sequence[int],
    frames: Sequence[Frame],
    boxes: Array,
    scores: Array,
    classes: Array,
    counts: Array | None,
    check: OutputCheck,
) -> list[Rows]:
    """Answers of a batch as from `object_detection.detections.pack`.

    Parameters
    ----------
    frames
        The frame of each image in its input.
    boxes, scores, classes, counts
        Results of a backend; `scores` may be (batch, boxes, classes), with empty `classes`.

    Raises
    ------
    HarnessError
        If the outputs do not match, or have an invalid value.
    """
    boxes, scores, classes, *more = check.numbers(boxes, scores, classes, *(() if counts is None else (counts,)))
    check.shapes(len(indices), boxes, scores, classes)
    units = model.box_units
    if units == "cells":
        boxes, units = in_pixels(boxes, frames[0].input), "pixels"
    ends = check.counts(indices, more[0], scores.shape[1]) if more else [scores.shape[1]] * len(indices)
    answers = []
    for position, (index, frame, end) in enumerate(zip(indices, frames, ends, strict=True)):
        own = _candidates(model, boxes[position, :end], scores[position, :end], classes[position, :end], index, check)
        own[:, 1:5] = in_image(_corners(own[:, 1:5], model.box_order), frame, units)
        check.finite(own)
        kept = np.ascontiguousarray(_best(model, own))
        if model.clip:
            np.clip(kept[:, 1:5], 0, 1, out=kept[:, 1:5])
        answers.append(kept)
    check.add(answers, np.concatenate(answers)[:, 1:].T)
    return answers


def _candidates(
    model: Model,
    boxes: npt.NDArray[Any],
    scores: npt.NDArray[Any],
    classes: npt.NDArray[Any],
    index: int,
    check: OutputCheck,
) -> Rows:
    """(n, 7): every box with its possible class or classes above the minimum score."""
    if scores.ndim == 1:
        row, kinds, found = np.arange(len(scores)), classes, scores
    elif model.labels_per_box == "best":
        row = np.arange(len(scores))
        kinds = scores.argmax(axis=1) if scores.shape[1] else np.zeros(len(scores), np.int64)
        found = scores[row, kinds] if scores.shape[1] else np.zeros(len(scores), np.float32)
    else:
        row, kinds = (each.reshape(-1) for each in np.indices(scores.shape))
        found = scores.reshape(-1)
    check.score_values(index, found)
    if model.score_above is not None:
        over = np.flatnonzero(found > model.score_above)
        row, kinds, found = row[over], kinds[over], found[over]
    limit = model.nms_candidates if model.nms != "none" else model.max_detections
    if limit is not None and len(found) > limit:
        best = np.argsort(-found, kind="stable")[:limit]
        row, kinds, found = row[best], kinds[best], found[best]
    rows = np.empty((len(found), WIDTH), dtype="<f4")
    rows[:, 0], rows[:, 1:5], rows[:, 5], rows[:, 6] = index, boxes[row], found, kinds
    if model.class_offset:
        rows[:, 6] += model.class_offset
    return rows


def _corners(boxes: Rows, order: str) -> Rows:
    """Boxes of any form as ymin, xmin, ymax, xmax."""
    if order in _TO_YXYX:
        return boxes[:, _TO_YXYX[order]]
    x, y, width, height = boxes.T
    if order == "xywh":
        return np.stack([y, x, y + height, x + width], axis=1)
    return np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], axis=1)


def _best(model: Model, rows: Rows) -> Rows:
    """The best boxes after suppression."""
    if model.nms == "none":
        if model.max_detections is None:
            return rows
        return rows[np.argsort(-rows[:, 5], kind="stable")[: model.max_detections]]
    kinds = rows[:, 6] if model.nms == "class" else None
    return rows[suppressed(rows[:, 1:5], rows[:, 5], kinds, model.nms_iou, model.max_detections)]

"""A model's outputs as LoadGen's answers: seven float32 for each detection, as in the reference.

``[qsl_idx, ymin, xmin, ymax, xmax, score, class]``, boxes on a scale of 0 to 1, little-endian.
Source: mlcommons/inference at v1.0.1, vision/classification_and_detection/python/coco.py (`PostProcessCoco*`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from object_detection.backends import Array
from object_detection.errors import HarnessError
from object_detection.outputs import OutputCheck
from object_detection.spec import Model

WIDTH = 7
Rows = npt.NDArray[np.float32]


def pack(
    model: Model,
    indices: Sequence[int],
    boxes: Array,
    scores: Array,
    classes: Array,
    counts: Array | None,
    check: OutputCheck | None = None,
) -> list[Rows]:
    """Answers of a batch, one array (detections, 7) for each image; an image without detections has an empty one.

    Parameters
    ----------
    model
        Has the order of the corners, the offset of the classes and the minimum score.
    indices
        Sample index of each image.
    boxes, scores, classes, counts
        Results of a backend.
    check
        Checks the outputs, and records suspicious ones.

    Raises
    ------
    HarnessError
        If the outputs do not match, or have an invalid value.
    """
    check = check or OutputCheck(model)
    boxes, scores, classes, *more = check.numbers(boxes, scores, classes, *(() if counts is None else (counts,)))
    counts = more[0] if more else None
    rows_of = (len(indices), *scores.shape[1:2])
    fits = scores.shape == classes.shape == rows_of and boxes.shape == (*rows_of, 4)
    if not fits or (counts is not None and counts.shape != rows_of[:1]):
        raise HarnessError(
            f"the model returned for {len(indices)} images boxes {boxes.shape}, scores {scores.shape}, classes {classes.shape}"
        )
    ends = check.counts(indices, counts, rows_of[1]) if counts is not None else None
    columns = np.empty((WIDTH - 1, *rows_of), dtype="<f4")  # each column in one piece: its check is several times as fast
    columns[:4] = (boxes if model.box_order == "yxyx" else boxes[..., [1, 0, 3, 2]]).transpose(2, 0, 1)
    columns[4] = scores
    columns[5] = classes + model.class_offset if model.class_offset else classes
    rows = np.empty((*rows_of, WIDTH), dtype="<f4")
    rows[..., 0] = indices[0] if len(indices) == 1 else np.asarray(indices, dtype=np.float32)[:, None]
    rows[..., 1:] = columns.transpose(1, 2, 0)
    found = list(rows) if ends is None else [each[:end] for each, end in zip(rows, ends, strict=True)]
    check.add(found, columns.reshape(WIDTH - 1, -1))
    return found if model.score_above is None else [each[each[:, 5] > model.score_above] for each in found]

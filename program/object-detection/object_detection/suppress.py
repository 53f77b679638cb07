"""Non-maximum suppression in NumPy, for models without their own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def suppressed(
    boxes: Array, scores: Array, classes: Array | None, iou: float, limit: int | None = None
) -> npt.NDArray[np.int64]:
    """Greedy suppression in descending order of the scores.

    Parameters
    ----------
    boxes
        (n, 4): two opposite corners.
    classes
        (n,): only boxes of one class suppress each other; None for all.
    iou
        Of two boxes with a larger overlap, the one with the lower score is dropped.
    limit
        Maximum number of boxes.

    Returns
    -------
    array
        Indices of the kept boxes, in descending order of their scores.
    """
    rest = np.argsort(-scores, kind="stable")
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    areas = (high - low).prod(axis=1)
    kept: list[int] = []
    while len(rest) and (limit is None or len(kept) < limit):
        best, rest = rest[0], rest[1:]
        kept.append(int(best))
        extents = np.minimum(high[best], high[rest]) - np.maximum(low[best], low[rest])
        common = np.clip(extents, 0, None).prod(axis=1)
        over = common > iou * (areas[best] + areas[rest] - common)
        if classes is not None:
            over &= classes[rest] == classes[best]
        rest = rest[~over]
    return np.array(kept, dtype=np.int64)

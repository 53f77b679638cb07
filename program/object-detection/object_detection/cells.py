"""Boxes relative to the cells of grids on the input, as networks without anchors compute them.

Source: Megvii-BaseDetection/YOLOX, yolox/models/yolo_head.py (`decode_outputs`): the centre counts cells from the corner of its
own, and the size is the logarithm of a number of cells. The rows of a grid follow each other, and grids go from fine to coarse.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from object_detection.errors import HarnessError

_STRIDES = (4, 8, 16, 32, 64, 128)  # pixels between cells; a network has a grid for each of some successive ones
_LARGEST = 20.0  # a logarithm; larger sizes would overflow


def in_pixels(boxes: npt.NDArray[np.generic], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Boxes (batch, cells, 4), centre and size, in pixels of an input of that height and width.

    Raises
    ------
    HarnessError
        If the number of boxes is not that of all cells.
    """
    corners, strides = _grids(boxes.shape[1], size)
    wide = boxes.astype(np.float32)
    centre = (wide[..., :2] + corners) * strides
    return np.concatenate([centre, np.exp(np.minimum(wide[..., 2:], _LARGEST)) * strides], axis=-1)


@lru_cache(maxsize=8)
def _grids(count: int, size: tuple[int, int]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The column and row of each cell, and its width in pixels: (cells, 2) and (cells, 1)."""
    shapes = [(-(-size[0] // stride), -(-size[1] // stride)) for stride in _STRIDES]
    for first in range(len(_STRIDES)):
        for end in range(first + 2, len(_STRIDES) + 1):
            if sum(rows * columns for rows, columns in shapes[first:end]) == count:
                places = [np.indices(shape)[::-1].reshape(2, -1).T for shape in shapes[first:end]]
                strides = [np.full((len(own), 1), stride) for own, stride in zip(places, _STRIDES[first:end], strict=True)]
                return np.concatenate(places).astype(np.float32), np.concatenate(strides).astype(np.float32)
    raise HarnessError(
        f"the model returned {count} boxes for an image: not one for each cell of grids on an input of {size[0]} × {size[1]}",
        "register it with another --box_units=",
    )

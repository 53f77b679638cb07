"""Anchors: the boxes that the heads' offsets refer to.

Sources: SSD (Liu et al., 2016), section 2.2; the anchor generator of TensorFlow's object detection API with the settings of
ssd_mobilenet_v1_coco; the default boxes of MLPerf's ssd-resnet34 at 1200 × 1200.
"""

from __future__ import annotations

from itertools import product
from math import sqrt

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]

MOBILENET_GRIDS = (19, 10, 5, 3, 2, 1)
MOBILENET_KINDS = (3, 6, 6, 6, 6, 6)  # anchors of a cell
RESNET34_GRIDS = (50, 25, 13, 7, 3, 3)
RESNET34_KINDS = (4, 6, 6, 6, 4, 4)
_RESNET34_SIDE = 1200
_RESNET34_SIZES = (21, 45, 99, 153, 207, 261, 315)  # of 300
_RESNET34_ASPECTS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))


def mobilenet_anchors() -> Boxes:
    """Anchors of SSD-MobileNet v1 at 300 × 300.

    Returns
    -------
    array
        (1917, 4) float32: centre y, centre x, height, width on a scale of 0 to 1; by layer, row, column, kind.
    """
    scales = [0.2 + (0.95 - 0.2) * layer / (len(MOBILENET_GRIDS) - 1) for layer in range(len(MOBILENET_GRIDS))] + [1.0]
    rows: list[tuple[float, float, float, float]] = []
    for layer, grid in enumerate(MOBILENET_GRIDS):
        if layer == 0:
            kinds = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        else:
            kinds = [(scales[layer], aspect) for aspect in (1.0, 2.0, 0.5, 3.0, 1.0 / 3.0)]
            kinds.append((sqrt(scales[layer] * scales[layer + 1]), 1.0))
        for row, column, (scale, aspect) in product(range(grid), range(grid), kinds):
            rows.append(((row + 0.5) / grid, (column + 0.5) / grid, scale / sqrt(aspect), scale * sqrt(aspect)))
    return np.array(rows, dtype=np.float32)


def resnet34_anchors() -> Boxes:
    """Default boxes of SSD-ResNet34 at 1200 × 1200.

    Returns
    -------
    array
        (15130, 4) float32: centre x, centre y, width, height on a scale of 0 to 1; by layer, kind, row, column.
    """
    side = _RESNET34_SIDE
    sizes = [int(size * side / 300) / side for size in _RESNET34_SIZES]
    rows: list[tuple[float, float, float, float]] = []
    for layer, grid in enumerate(RESNET34_GRIDS):
        cells = side // int(side / grid)
        small, large = sizes[layer], sizes[layer + 1]
        kinds = [(small, small), (sqrt(small * large),) * 2]
        for aspect in _RESNET34_ASPECTS[layer]:
            wide = (small * sqrt(aspect), small / sqrt(aspect))
            kinds += [wide, (wide[1], wide[0])]
        for (width, height), row, column in product(kinds, range(grid), range(grid)):
            rows.append(((column + 0.5) / cells, (row + 0.5) / cells, width, height))
    return np.clip(np.array(rows, dtype=np.float32), 0.0, 1.0)

"""A model that is only described, and answers in which every number differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from object_detection.spec import Model

MODEL = Model(
    "toy", Path("toy"), "toy", "image", None, 300, "none", "NHWC", "uint8", "boxes", "scores", "classes", "count", "yxyx", None,
    "category",
)  # fmt: skip


def outputs(images: int, rows: int) -> tuple[Any, Any, Any]:
    """Boxes, scores and classes in which every number differs."""
    boxes = np.arange(images * rows * 4, dtype=np.float32).reshape(images, rows, 4) / 1000
    scores = np.linspace(0.9, 0.1, images * rows, dtype=np.float32).reshape(images, rows)
    classes = np.arange(1, images * rows + 1, dtype=np.float32).reshape(images, rows)
    return boxes, scores, classes

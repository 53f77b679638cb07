"""What a framework detects in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Found:
    """Detections: corners in pixels of the image (x first), scores and category ids."""

    boxes: Any
    scores: Any
    classes: Any

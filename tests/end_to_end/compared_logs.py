"""Accuracy logs of our harness and of the reference, compared by their detections."""

from __future__ import annotations

import json
import struct
from pathlib import Path


def detections(log: Path) -> dict[int, list[tuple[float, ...]]]:
    """Detections above 0.1 by sample."""
    found = {}
    for row in json.loads(log.read_text()):
        raw = bytes.fromhex(row["data"])
        boxes = [struct.unpack_from("<7f", raw, at) for at in range(0, len(raw), 28)]
        found[row["qsl_idx"]] = [box[1:] for box in boxes if box[5] > 0.1]
    return found


def share_of_equal(ours: dict[int, list[tuple[float, ...]]], theirs: dict[int, list[tuple[float, ...]]]) -> float:
    """The fraction of their detections that ours match with every coordinate and the score within 2e-3."""
    total = sum(len(boxes) for boxes in theirs.values())
    equal = sum(
        any(all(abs(a - b) < 2e-3 for a, b in zip(box, other, strict=True)) for other in ours[index])
        for index, boxes in theirs.items()
        for box in boxes
    )
    return equal / total

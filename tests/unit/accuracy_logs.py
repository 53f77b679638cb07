"""Accuracy logs of LoadGen with given detections."""

from __future__ import annotations

import json
import struct
from pathlib import Path

Boxes = dict[int, list[tuple[float, ...]]]  # by sample: ymin, xmin, ymax, xmax, score, class
ONE: Boxes = {0: [(0.1, 0.1, 0.5, 0.5, 0.9, 1.0), (0.2, 0.2, 0.6, 0.6, 0.8, 2.0)], 7: [(0.3, 0.3, 0.9, 0.9, 0.7, 1.0)]}


def write_log(folder: Path, boxes: Boxes, mode: str = "accuracy") -> Path:
    path = folder / mode / "mlperf_log_accuracy.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"seq_id": at, "qsl_idx": index, "data": b"".join(struct.pack("<7f", index, *row) for row in rows).hex().upper()}
        for at, (index, rows) in enumerate(boxes.items())
    ]
    path.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    return path


def moved(by: float) -> Boxes:
    """`ONE` with every box moved down by `by`."""
    return {index: [(row[0] + by, *row[1:]) for row in rows] for index, rows in ONE.items()}

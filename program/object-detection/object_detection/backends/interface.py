"""What every framework has to do with a model's names: hold them against the file, and put the outputs in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from object_detection.backends import Array
from object_detection.errors import HarnessError
from object_detection.spec import Model


def wanted_outputs(model: Model, inputs: Collection[str], outputs: Collection[str]) -> list[str]:
    """Names of boxes, scores, classes and, if there is one, count; a file that lacks them is an error that names its own."""
    wanted = [name for name in (model.boxes, model.scores, model.classes, model.count) if name]
    if model.input not in inputs or len(inputs) != 1 or not set(wanted) <= set(outputs):
        raise HarnessError(
            f"{model.path} lacks the interface expected of it: input {model.input}, outputs {', '.join(wanted)}; "
            f"it has inputs {', '.join(inputs)} and outputs {', '.join(sorted(outputs))}",
            "register it with the right --profile=",
        )
    return wanted


def in_batches(found: Sequence[Array]) -> tuple[Array, Array, Array, Array | None]:
    """Outputs in the order of `wanted_outputs` as a backend returns them, with a batch dimension where a model has none."""
    boxes, scores, classes = found[:3]
    if boxes.ndim == 2:
        boxes, scores, classes = boxes[None], scores[None], classes[None]
    return boxes, scores, classes, found[3].reshape(-1) if len(found) > 3 else None


def padded(rows: Sequence[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array, Array]:
    """Boxes (n, 4), scores (n,) and classes (n,) of each image, n as it comes, as a backend returns them; n may be 0."""
    counts = np.array([len(scores) for _, scores, _ in rows])
    most = int(counts.max(initial=0))
    boxes = np.zeros((len(rows), most, 4), dtype=np.float32)
    scores, classes = np.zeros((2, len(rows), most), dtype=np.float32)
    for number, (own_boxes, own_scores, own_classes) in enumerate(rows):
        boxes[number, : len(own_scores)] = own_boxes
        scores[number, : len(own_scores)] = own_scores
        classes[number, : len(own_scores)] = own_classes
    return boxes, scores, classes, counts


def layout_of(shape: Sequence[object], model: Model) -> str:
    """The layout that a file's input has: where the 3 channels are; the model's own where the shape does not tell."""
    if len(shape) == 4 and (shape[1] == 3) != (shape[3] == 3):
        return "NCHW" if shape[1] == 3 else "NHWC"
    return model.layout

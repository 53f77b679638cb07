"""What every framework has to do with a model's names: hold them against the file, and put the outputs in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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

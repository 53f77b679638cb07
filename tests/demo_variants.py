"""The demo model behind other interfaces: its inputs or outputs are changed in the graph, so that mAP stays known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

BOXES, SCORES, CLASSES, COUNT = (f"{name}:0" for name in (
    "detection_boxes", "detection_scores", "detection_classes", "num_detections",
))  # fmt: skip
IMAGE = "image_tensor:0"


class Variant:
    """The demo model while its graph is changed."""

    def __init__(self, demo: Path) -> None:
        self.onnx = pytest.importorskip("onnx")
        self.model = self.onnx.load(str(demo))

    @property
    def graph(self) -> Any:
        return self.model.graph

    def save(self, path: Path, **options: Any) -> Path:
        self.onnx.save(self.model, str(path), **options)
        return path

    def constant(self, name: str, value: Any, dtype: str = "float32") -> str:
        np = pytest.importorskip("numpy")
        self.graph.initializer.append(self.onnx.numpy_helper.from_array(np.array(value, dtype=dtype), name))
        return name

    def node(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.graph.node.append(self.onnx.helper.make_node(operation, inputs, [output], **attributes))
        return output

    def first(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.graph.node.insert(self._first, self.onnx.helper.make_node(operation, inputs, [output], **attributes))
        self._first += 1
        return output

    _first = 0

    def output(self, old: str, new: str) -> None:
        """Return another tensor in place of an output, with the same type and shape."""
        next(row for row in self.graph.output if row.name == old).name = new

    def outputs(self, **shapes: tuple[int, list[Any]]) -> None:
        """Return only these tensors: type and shape of each."""
        del self.graph.output[:]
        for name, (dtype, shape) in shapes.items():
            self.graph.output.append(self.onnx.helper.make_tensor_value_info(name, dtype, shape))

    def takes(self, name: str, dtype: int, shape: list[Any]) -> str:
        """Replace an input by one of that type and shape; return what the graph must be given."""
        del self.graph.input[:]
        self.graph.input.append(self.onnx.helper.make_tensor_value_info(name, dtype, shape))
        return IMAGE

    def rename(self, old: str, new: str) -> None:
        """Rename an input or output."""
        for row in (*self.graph.input, *self.graph.output):
            row.name = new if row.name == old else row.name
        for node in self.graph.node:
            node.input[:] = [new if name == old else name for name in node.input]
            node.output[:] = [new if name == old else name for name in node.output]


def boxes_as(variant: Variant, order: str, scale: float = 1.0) -> None:
    """Boxes with another order of coordinates, and in other units."""
    corners = [
        variant.node("Gather", [BOXES, variant.constant(f"at_{at}", [at], "int64")], f"corner_{at}", axis=2) for at in range(4)
    ]
    ymin, xmin, ymax, xmax = corners
    width, height = variant.node("Sub", [xmax, xmin], "width"), variant.node("Sub", [ymax, ymin], "height")
    half = variant.constant("half", 0.5)
    middle = [
        variant.node("Mul", [variant.node("Add", pair, f"sum_{name}"), half], f"middle_{name}")
        for name, pair in (("x", [xmin, xmax]), ("y", [ymin, ymax]))
    ]
    numbers = {
        "yxyx": corners,
        "xyxy": [xmin, ymin, xmax, ymax],
        "xywh": [xmin, ymin, width, height],
        "cxcywh": [*middle, width, height],
    }[order]
    joined = variant.node("Concat", numbers, "boxes_joined", axis=2)
    variant.output(BOXES, variant.node("Mul", [joined, variant.constant("scale_of_boxes", scale)], "boxes"))

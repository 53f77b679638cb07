"""Write the trained demo model as one ONNX file with the interface of ssd-mobilenet.

Input ``image_tensor:0`` uint8 (N, 300, 300, 3); outputs ``num_detections:0`` (N), ``detection_boxes:0`` (N, 100, 4) as ymin,
xmin, ymax, xmax on a scale of 0 to 1, ``detection_scores:0`` and ``detection_classes:0`` (N, 100), all float32. Any batch.
"""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

OPSET = 13
DETECTIONS = 100
PER_CLASS = 50
SCORE_ABOVE = 0.02
IOU_ABOVE = 0.5


class Graph:
    """Collects nodes and weights; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, value: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, outputs: tuple[str, ...] | None = None, **attributes: object) -> str:
        names = outputs or (f"t{len(self.nodes)}",)
        self.nodes.append(helper.make_node(kind, list(inputs), list(names), **attributes))
        return names[0]

    def convolution(self, x: str, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, relu: bool) -> str:
        weight = conv.weight.detach().numpy().astype(np.float64)
        bias = np.zeros(len(weight)) if conv.bias is None else conv.bias.detach().numpy().astype(np.float64)
        if norm is not None:  # folded: the running statistics are constants now
            scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().numpy().astype(np.float64)
            weight = weight * scale[:, None, None, None]
            bias = (bias - norm.running_mean.numpy()) * scale + norm.bias.detach().numpy()
        pad = conv.padding[0]
        y = self.add(
            "Conv", x, self.constant(weight.astype(np.float32)), self.constant(bias.astype(np.float32)),
            kernel_shape=list(conv.kernel_size), strides=list(conv.stride), pads=[pad] * 4, group=conv.groups,
        )  # fmt: skip
        return self.add("Relu", y) if relu else y

    def blocks(self, x: str, module: nn.Module) -> str:
        """A chain of convolution, batch norm and ReLU."""
        rows = [row for row in module.modules() if isinstance(row, nn.Conv2d | nn.BatchNorm2d)]
        for conv, norm in zip(rows[::2], rows[1::2], strict=False):
            x = self.convolution(x, conv, norm, relu=True)
        return x


def write_onnx(model: nn.Module, priors: np.ndarray, variances: tuple[float, float], output: pathlib.Path) -> None:
    """Write `model` (a trained DemoSSD) with its decoding and non-maximum suppression."""
    g = Graph()
    ints = lambda *values: g.constant(np.array(values, np.int64))  # noqa: E731
    floats = lambda *values: g.constant(np.array(values, np.float32))  # noqa: E731

    x = g.add("Cast", "image_tensor:0", to=TensorProto.FLOAT)
    x = g.add("Mul", g.add("Sub", x, floats(127.5)), floats(1 / 127.5))
    x = g.add("Transpose", x, perm=[0, 3, 1, 2])
    logits, codes = [], []
    for stage, tower, of_class, of_box in zip(
        (model.stem, model.middle, model.top), model.towers, model.class_heads, model.box_heads, strict=False
    ):
        x = g.blocks(x, stage)
        shared = g.blocks(x, tower)
        for head, rows, width in ((of_class, logits, model.classes), (of_box, codes, 4)):
            y = g.add("Transpose", g.convolution(shared, head, None, relu=False), perm=[0, 2, 3, 1])
            rows.append(g.add("Reshape", y, ints(0, -1, width)))
    scores = g.add("Sigmoid", g.add("Transpose", g.add("Concat", *logits, axis=1), perm=[0, 2, 1]))  # (N, classes, anchors)
    boxes = _decode(g, g.add("Concat", *codes, axis=1), priors, variances, floats, ints)
    _select(g, boxes, scores, len(priors), floats, ints)

    batch = "N"
    outputs = [
        helper.make_tensor_value_info("num_detections:0", TensorProto.FLOAT, [batch]),
        helper.make_tensor_value_info("detection_boxes:0", TensorProto.FLOAT, [batch, DETECTIONS, 4]),
        helper.make_tensor_value_info("detection_scores:0", TensorProto.FLOAT, [batch, DETECTIONS]),
        helper.make_tensor_value_info("detection_classes:0", TensorProto.FLOAT, [batch, DETECTIONS]),
    ]
    image = helper.make_tensor_value_info("image_tensor:0", TensorProto.UINT8, [batch, 300, 300, 3])
    graph = helper.make_graph(g.nodes, "demo_ssd", [image], outputs, g.weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="ck-repo demo")
    proto.ir_version = 7
    onnx.checker.check_model(proto, full_check=True)
    output.write_bytes(proto.SerializeToString())


def _decode(g: Graph, codes: str, priors: np.ndarray, variances: tuple[float, float], floats, ints) -> str:
    """Box codes (N, anchors, 4) → corners (N, anchors, 4), clipped to the image."""
    centres, sizes = priors[None, :, :2], priors[None, :, 2:]
    moved = g.add("Slice", codes, ints(0), ints(2), ints(2))
    grown = g.add("Slice", codes, ints(2), ints(4), ints(2))
    centre = g.add("Add", g.add("Mul", moved, g.constant(sizes * np.float32(variances[0]))), g.constant(centres))
    growth = g.add("Exp", g.add("Min", g.add("Mul", grown, floats(variances[1])), floats(4)))
    half = g.add("Mul", growth, g.constant(sizes / 2))
    corners = g.add("Concat", g.add("Sub", centre, half), g.add("Add", centre, half), axis=2)
    return g.add("Clip", corners, g.constant(np.float32(0)), g.constant(np.float32(1)))


def _select(g: Graph, boxes: str, scores: str, anchors: int, floats, ints) -> None:
    """Suppress per class, then keep the best of each image: works for any batch, since it never counts rows by hand."""
    kept = g.add("NonMaxSuppression", boxes, scores, ints(PER_CLASS), floats(IOU_ABOVE), floats(SCORE_ABOVE))
    nothing = g.add("Mul", scores, floats(0))
    survivors = g.add("ScatterND", nothing, kept, g.add("GatherND", scores, kept))  # zero but where a box was kept
    flat = g.add("Reshape", survivors, ints(0, -1))
    g.add("TopK", flat, ints(DETECTIONS), outputs=("detection_scores:0", "best"), axis=1)
    kind = g.add("Add", g.add("Div", "best", ints(anchors)), ints(1))
    g.add("Cast", kind, outputs=("detection_classes:0",), to=TensorProto.FLOAT)
    place = g.add("Unsqueeze", g.add("Mod", "best", ints(anchors)), ints(2))
    place = g.add("Expand", place, ints(1, 1, 4))
    g.add("GatherElements", boxes, place, outputs=("detection_boxes:0",), axis=1)
    found = g.add("Cast", g.add("Greater", "detection_scores:0", floats(0)), to=TensorProto.FLOAT)
    g.add("ReduceSum", found, ints(1), outputs=("num_detections:0",), keepdims=0)

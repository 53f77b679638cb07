"""Extract the weights of an SSD-MobileNet v1 in ONNX, float or 8-bit (QuantizeLinear), by the names of its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from object_detection.convert import weights
from object_detection.convert.mobilenet_names import bias_name, check_complete, layer_of, range_name
from object_detection.convert.task import Task, main
from object_detection.errors import HarnessError
from object_detection.models.anchors import mobilenet_anchors
from object_detection.models.networks.ssd_mobilenet_v1 import NAME

Array = npt.NDArray[Any]


class Graph:
    """An ONNX graph: producers and consumers of values, and constants."""

    def __init__(self, path: Path) -> None:
        try:
            self.graph = onnx.load(str(path)).graph
        except Exception as error:  # protobuf's exceptions have no common base
            raise HarnessError(f"{path} cannot be read as ONNX: {error}") from error
        self._arrays = {row.name: row for row in self.graph.initializer}
        self._maker = {output: node for node in self.graph.node for output in node.output}
        self._takers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self._takers.setdefault(name, []).append(node)

    def constant(self, name: str) -> Array | None:
        """The value, if it is a constant, or computed from constants by DequantizeLinear."""
        if name in self._arrays:
            return np.asarray(numpy_helper.to_array(self._arrays[name]))
        node = self._maker.get(name)
        if node is None or node.op_type != "DequantizeLinear":
            return None
        parts = [self.constant(each) for each in node.input]
        if parts[0] is None or parts[1] is None:
            return None
        shape = [1] * parts[0].ndim
        if parts[1].size > 1:  # a scale for each channel
            axis = next((row.i for row in node.attribute if row.name == "axis"), 1)
            shape[axis] = parts[1].size
        scale = parts[1].astype(np.float64).reshape(shape)
        zero = parts[2].astype(np.int64).reshape(shape) if len(parts) > 2 and parts[2] is not None else 0
        return np.asarray((parts[0].astype(np.int64) - zero) * scale, dtype=np.float32)

    def range_after(self, name: str) -> Array | None:
        """Step and zero point (0 to 255) of the QuantizeLinear that consumes a value, directly or after a Clip."""
        for node in self.takers(name):
            if node.op_type == "QuantizeLinear":
                scale = self.constant(node.input[1])
                zero = self.constant(node.input[2]) if len(node.input) > 2 else np.uint8(0)
                if scale is None or zero is None or scale.size != 1 or zero.dtype not in (np.uint8, np.int8):
                    raise HarnessError(f"{node.name or name} uses an unsupported quantization: only 8 bits with one scale are")
                return np.array([float(scale), float(zero) + (128 if zero.dtype == np.int8 else 0)], dtype=np.float32)
            if node.op_type == "Clip":
                return self.range_after(node.output[0])
        return None

    def takers(self, name: str) -> list[onnx.NodeProto]:
        """The nodes that consume a value."""
        return self._takers.get(name, [])

    def all(self, operation: str) -> Iterator[onnx.NodeProto]:
        """The nodes of an operation."""
        return (node for node in self.graph.node if node.op_type == operation)


def convert(task: Task) -> None:
    """Write model.safetensors."""
    graph = Graph(task.source)
    arrays: weights.Arrays = {}
    layers = set()
    for node in graph.all("Conv"):
        layer = layer_of(node.output[0]) or layer_of(node.name)
        kernel = graph.constant(node.input[1])
        if layer is None or kernel is None:
            continue
        layers.add(layer)
        arrays[f"{layer}.weight"] = kernel
        bias = graph.constant(node.input[2]) if len(node.input) > 2 else None
        arrays[bias_name(layer)] = np.zeros(len(kernel), dtype=np.float32) if bias is None else bias
        if layer.endswith("depthwise"):
            arrays[f"{layer}/BatchNorm.scale"] = np.ones(len(kernel), dtype=np.float32)
        rounded = graph.range_after(node.output[0])
        if rounded is not None:
            arrays[range_name(layer)] = rounded
    check_complete(layers, task.source)
    for node in graph.all("Sigmoid"):
        rounded = graph.range_after(node.output[0])
        if rounded is not None:
            arrays["scores.range"] = rounded
    arrays["anchors"] = _anchors(graph)
    settings = {**_input_scaling(graph, task.source), **_selection(graph, task.source)}
    weights.save(task.output, arrays, NAME, **settings)
    task.write_interface(max_batch=None)


def _anchors(graph: Graph) -> Array:
    """The file's own anchors, which may be quantized; else the usual ones."""
    usual = mobilenet_anchors()
    for node in graph.graph.node:
        for name in node.input:
            found = graph.constant(name) if node.op_type in ("Slice", "Split", "Gather") else None
            if found is None or found.shape != usual.shape:
                continue
            if found.dtype == np.uint8:  # sliced first, dequantized afterwards
                found = _dequantized(graph, node.output[0], found)
            return np.asarray(found, dtype=np.float32)
    return usual


def _dequantized(graph: Graph, name: str, values: Array) -> Array:
    for node in graph.all("DequantizeLinear"):
        if node.input[0] == name:
            scale, zero = graph.constant(node.input[1]), graph.constant(node.input[2])
            assert scale is not None
            assert zero is not None
            return np.asarray((values.astype(np.float32) - zero.astype(np.float32)) * scale)
    raise HarnessError(f"the anchors {name} are quantized, without a known scale")


def _input_scaling(graph: Graph, source: Path) -> dict[str, float]:
    """Offset and scale by which the graph converts an image to the network's input; none if it does not.

    Raises
    ------
    HarnessError
        If there is an operation other than scaling between the image and the first convolution.
    """
    scale, shift = 1.0, 0.0  # of scale × image + shift
    name = graph.graph.input[0].name
    while True:
        nodes = [node for node in graph.takers(name) if node.op_type != "Shape"]
        node = nodes[0] if len(nodes) == 1 else None
        if node is not None and node.op_type in ("Conv", "Pad", "QuantizeLinear"):
            plain = (scale, shift) == (1.0, 0.0)
            return {} if plain else {"input_offset": -shift / scale, "input_scale": scale}
        step = _scaling_step(graph, node, name) if node is not None else None
        if node is None or step is None:
            taker = node.op_type if node else "more than one node"
            raise HarnessError(f"{source}: its scaling of images is not supported, because {taker} uses {name}")
        scale, shift = scale * step[0], shift * step[0] + step[1]
        name = node.output[0]


def _scaling_step(graph: Graph, node: onnx.NodeProto, name: str) -> tuple[float, float] | None:
    """The factor and the offset of a node; None for other operations."""
    if node.op_type in ("Cast", "Transpose", "Identity"):
        return 1.0, 0.0
    others = [graph.constant(each) for each in node.input if each != name]
    if not others or any(row is None or row.size != 1 for row in others):
        return None
    numbers = [float(row.reshape(-1)[0]) for row in others if row is not None]
    first = node.input[0] == name
    steps = {
        "Add": (1.0, numbers[0]),
        "Sub": (1.0, -numbers[0]) if first else (-1.0, numbers[0]),
        "Mul": (numbers[0], 0.0),
        "DequantizeLinear": (numbers[0], -numbers[0] * (numbers[1] if len(numbers) > 1 else 0.0)),
    }
    if node.op_type == "Div" and first and numbers[0]:
        return 1 / numbers[0], 0.0
    return steps.get(node.op_type)


def _selection(graph: Graph, source: Path) -> dict[str, object]:
    """The graph's rule for the selection of detections."""
    nodes = list(graph.all("NonMaxSuppression"))
    if len(nodes) != 1:
        raise HarnessError(f"{source} has {len(nodes)} NonMaxSuppression nodes: only one is supported")
    per_class, iou, above = (graph.constant(name) for name in nodes[0].input[2:5])
    if per_class is None or iou is None or above is None:
        raise HarnessError(f"{source}: the settings of its NonMaxSuppression are not constants")
    return {
        "total": int(per_class.reshape(-1)[0]),
        "iou": float(iou.reshape(-1)[0]),
        "score_above": float(above.reshape(-1)[0]),
        "epsilon": 0.0,
    }


if __name__ == "__main__":
    main(convert)

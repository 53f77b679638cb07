"""Extract the weights of an SSD-MobileNet v1 in a frozen TensorFlow graph, by the names of its nodes.

TensorFlow itself computes everything that only depends on constants (folded batch normalisations, 8-bit weights), so that their
form in the graph does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from object_detection.backends.tensorflow import read_graph
from object_detection.convert import weights
from object_detection.convert.graph_mobilenet import ANCHORS
from object_detection.convert.mobilenet_names import bias_name, check_complete, layer_of, range_name
from object_detection.convert.task import Task, main
from object_detection.errors import HarnessError
from object_detection.models.networks import known_networks
from object_detection.models.networks.ssd_mobilenet_v1 import NAME

Array = npt.NDArray[Any]
_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_SIDE = 300


class Graph:
    """A graph with a session: consumers of values, and constants."""

    def __init__(self, definition: tf.compat.v1.GraphDef) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf.graph_util.import_graph_def(definition, name="")
        self._session = tf.compat.v1.Session(graph=self.graph)
        self._varying: set[str] = set()
        for operation in self.graph.get_operations():  # inputs first
            if operation.type == "Placeholder" or any(row.op.name in self._varying for row in operation.inputs):
                self._varying.add(operation.name)

    def constant(self, tensor: tf.Tensor) -> Array | None:
        """A value that does not depend on the input."""
        return None if tensor.op.name in self._varying else np.asarray(self._session.run(tensor))

    def value(self, tensor: tf.Tensor, given: Array) -> Array:
        """A value for one image.

        Parameters
        ----------
        given
            The image, in the shape and dtype of the graph's placeholder.
        """
        return np.asarray(self._session.run(tensor, {self.placeholder: given}))

    @property
    def placeholder(self) -> tf.Tensor:
        """The image."""
        return next(row.outputs[0] for row in self.graph.get_operations() if row.type == "Placeholder")

    def operations(self, *kinds: str) -> Iterator[tf.Operation]:
        """The operations of some types."""
        return (row for row in self.graph.get_operations() if row.type in kinds)


def convert(task: Task) -> None:
    """Write model.safetensors."""
    graph = Graph(read_graph(task.source))
    arrays: weights.Arrays = {}
    layers, first = set(), None
    for operation in graph.operations("Conv2D", "DepthwiseConv2dNative"):
        layer = layer_of(operation.name)
        kernel = graph.constant(operation.inputs[1])
        if layer is None or kernel is None:
            continue
        layers.add(layer)
        first = operation if layer == "backbone.0.0" else first
        _add_layer(graph, operation, layer, kernel, arrays)
    check_complete(layers, task.source)
    assert first is not None
    if (found := _named(graph, ANCHORS)) is not None:
        arrays["anchors"] = found
    for operation in graph.operations("Sigmoid"):
        if (steps := _follow(graph, operation.outputs[0])[2]) is not None:
            arrays["scores.range"] = steps
    offset, scale = _input_scaling(graph, first)
    weights.save(task.output, arrays, NAME, input_offset=offset, input_scale=scale, **_selection(graph))
    task.write_interface(profile=known_networks()[NAME].profile_for("tensorflow")["name"], max_batch=None)


def _add_layer(graph: Graph, operation: tf.Operation, layer: str, kernel: Array, arrays: weights.Arrays) -> None:
    """The convolution's weights, the bias and, for a depthwise one, the factor."""
    scale, bias, steps = _follow(graph, operation.outputs[0])
    out = kernel.shape[2] if layer.endswith("depthwise") else kernel.shape[3]
    factor = np.broadcast_to(np.asarray(scale, dtype=np.float32).reshape(-1), out)
    if layer.endswith("depthwise"):
        arrays[f"{layer}.weight"] = kernel.transpose(2, 3, 0, 1)
        arrays[f"{layer}/BatchNorm.scale"] = factor
    else:
        arrays[f"{layer}.weight"] = kernel.transpose(3, 2, 0, 1) * factor[:, None, None, None]
    arrays[bias_name(layer)] = np.broadcast_to(np.asarray(bias, dtype=np.float32).reshape(-1), out)
    if steps is not None:
        arrays[range_name(layer)] = steps


def _follow(graph: Graph, value: tf.Tensor) -> tuple[Array, Array, Array | None]:
    """The operations on each channel after it: scale, bias, and quantization range."""
    scale: Array = np.float32(1)
    bias: Array = np.float32(0)
    while True:
        takers = [row for row in value.consumers() if row.type not in ("Shape", "Pack", "Size")]
        if len(takers) != 1:
            return scale, bias, None
        taker = takers[0]
        others = [graph.constant(row) for row in taker.inputs if row is not value]
        if taker.type in _NORMS:
            gamma, beta, mean, variance = (np.asarray(row, dtype=np.float64) for row in others)
            factor = gamma / np.sqrt(variance + taker.get_attr("epsilon"))
            scale, bias = scale * factor, (bias - mean) * factor + beta
        elif taker.type in ("BiasAdd", "Add", "AddV2") and others[0] is not None:
            bias = bias + others[0]
        elif taker.type == "Sub" and taker.inputs[0] is value and others[0] is not None:
            bias = bias - others[0]
        elif taker.type == "Mul" and others[0] is not None:
            scale, bias = scale * others[0], bias * others[0]
        elif taker.type.startswith("FakeQuant") and (taker.get_attr("num_bits") != 8 or taker.get_attr("narrow_range")):
            raise HarnessError(f"{taker.name} uses an unsupported quantization: only 256 steps are supported")
        elif taker.type == "FakeQuantWithMinMaxVars":
            low, high = float(others[0]), float(others[1])  # type: ignore[arg-type]
            return scale, bias, _steps(low, high)
        elif taker.type == "FakeQuantWithMinMaxArgs":
            return scale, bias, _steps(taker.get_attr("min"), taker.get_attr("max"))
        elif taker.type not in ("Relu6", "Identity"):
            return scale, bias, None
        value = taker.outputs[0]


def _steps(low: float, high: float) -> Array:
    """Step and zero point of 256 values between two bounds, moved so that one of them is zero, as in TensorFlow."""
    step = (high - low) / 255
    return np.array([step, min(max(round(-low / step), 0), 255)], dtype=np.float32)


def _named(graph: Graph, name: str) -> Array | None:
    rows = [row for row in graph.operations("Const") if row.name == name]
    return graph.constant(rows[0].outputs[0]) if rows else None


def _input_scaling(graph: Graph, first: tf.Operation) -> tuple[float, float]:
    """Offset and scale by which an image's bytes become the network's input, measured with a black and a white image."""
    black, white = (
        float(graph.value(first.inputs[0], np.full((1, _SIDE, _SIDE, 3), byte, dtype=np.uint8)).reshape(-1)[_SIDE])
        for byte in (0, 255)
    )
    scale = (white - black) / 255
    return -black / scale, scale


def _selection(graph: Graph) -> dict[str, object]:
    """The graph's rule for the selection of detections; unknown values are those of ssd_mobilenet_v1_coco."""
    rule: dict[str, object] = {"total": 100, "iou": 0.6, "score_above": 1e-8, "epsilon": 0.0}
    for operation in graph.operations("CombinedNonMaxSuppression"):
        values = [graph.constant(row) for row in operation.inputs[2:6]]
        if all(row is not None for row in values):
            rule |= {"total": int(values[1]), "iou": float(values[2]), "score_above": float(values[3])}  # type: ignore[arg-type]
    return rule


if __name__ == "__main__":
    main(convert)

"""Convert a TensorFlow graph from channels first to channels last, the only layout of its convolutions on CPUs.

Every operation with a `data_format` is copied with channels last. Element-wise operations and paddings are copied, too, if
their inputs have such copies, so that transpositions only remain where other operations use a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import tensor_util

_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_SPATIAL = {
    "Conv2D",
    "DepthwiseConv2dNative",
    "MaxPool",
    "AvgPool",
    "BiasAdd",
    "FusedBatchNorm",
    "FusedBatchNormV2",
    "FusedBatchNormV3",
}
_ELEMENTWISE = {
    "Relu", "Relu6", "Elu", "LeakyRelu", "Sigmoid", "Tanh", "Identity", "Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum",
    "FakeQuantWithMinMaxArgs",
}  # fmt: skip
_BY_DIMENSION = ("strides", "ksize", "dilations")
_TWIN = "/channels_last"


def is_channels_first(graph: graph_pb2.GraphDef) -> bool:
    """Whether an operation has channels first."""
    return any(_first(node) for node in graph.node)


def channels_last(graph: graph_pb2.GraphDef, outputs: Sequence[str]) -> graph_pb2.GraphDef:
    """The same graph with channels last inside; inputs and outputs keep their names and layouts.

    Parameters
    ----------
    graph
        A frozen graph.
    outputs
        Names of the required nodes; nodes that they do not depend on are removed.
    """
    rewriting = _Rewriting()
    for node in _in_order(graph.node):
        rewriting.add(node)
    return _needed(rewriting.result, outputs)


def _first(node: node_def_pb2.NodeDef) -> bool:
    return node.op in _SPATIAL and "data_format" in node.attr and node.attr["data_format"].s == b"NCHW"


class _Rewriting:
    """The new graph, and the values with a channels-last copy."""

    def __init__(self) -> None:
        self.result = graph_pb2.GraphDef()
        self._twins: dict[str, str] = {}
        self._constants: dict[str, node_def_pb2.NodeDef] = {}
        self._perms: dict[tuple[int, ...], str] = {}

    def add(self, node: node_def_pb2.NodeDef) -> None:
        """Copy a node whose inputs have been copied."""
        if node.op == "Const":
            self._constants[node.name] = node
        if _first(node):
            self._keep_first(self._spatial(node))
        elif node.op in _ELEMENTWISE and all(_plain(name) in self._twins for name in node.input if not name.startswith("^")):
            twin = self._twin(node)
            twin.input[:] = [name if name.startswith("^") else self._twins[_plain(name)] for name in node.input]
            self._keep_first(twin)
        elif node.op == "Pad" and _plain(node.input[0]) in self._twins and _plain(node.input[1]) in self._constants:
            self._keep_first(self._padding(node))
        else:
            self.result.node.add().CopyFrom(node)

    def _twin(self, node: node_def_pb2.NodeDef) -> node_def_pb2.NodeDef:
        twin = self.result.node.add()
        twin.CopyFrom(node)
        twin.name = node.name + _TWIN
        return twin

    def _keep_first(self, twin: node_def_pb2.NodeDef) -> None:
        """Register the copy, and give the old name to its transposition, for other users of the value."""
        name = twin.name.removesuffix(_TWIN)
        self._twins[name] = twin.name
        self._transpose(name, twin.name, _TO_FIRST, twin.attr["T"].type)

    def _last(self, name: str, dtype: int) -> str:
        """A value with channels last."""
        plain = _plain(name)
        if plain not in self._twins:
            self._twins[plain] = plain.replace(":", "_") + _TWIN
            self._transpose(self._twins[plain], name, _TO_LAST, dtype)
        return self._twins[plain]

    def _transpose(self, name: str, value: str, perm: tuple[int, ...], dtype: int) -> None:
        if perm not in self._perms:
            self._perms[perm] = self._constant(f"channels_last/perm_{perm[1]}", np.array(perm, dtype=np.int32))
        node = self.result.node.add(name=name, op="Transpose", input=[value, self._perms[perm]])
        node.attr["T"].type = dtype
        node.attr["Tperm"].type = 3  # int32

    def _constant(self, name: str, value: np.ndarray) -> str:
        node = self.result.node.add(name=name, op="Const")
        node.attr["dtype"].type = 3 if value.dtype == np.int32 else 9  # int32 or int64
        node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(value))
        return name

    def _spatial(self, node: node_def_pb2.NodeDef) -> node_def_pb2.NodeDef:
        first = self._last(node.input[0], node.attr["T"].type)
        twin = self._twin(node)
        twin.input[0] = first
        twin.attr["data_format"].s = b"NHWC"
        for name in _BY_DIMENSION:
            if name in twin.attr:
                rows = list(twin.attr[name].list.i)
                twin.attr[name].list.i[:] = [rows[at] for at in _TO_LAST]
        if "explicit_paddings" in twin.attr and (pads := list(twin.attr["explicit_paddings"].list.i)):
            twin.attr["explicit_paddings"].list.i[:] = [pads[2 * at + end] for at in _TO_LAST for end in (0, 1)]
        return twin

    def _padding(self, node: node_def_pb2.NodeDef) -> node_def_pb2.NodeDef:
        pads = tensor_util.MakeNdarray(self._constants[_plain(node.input[1])].attr["value"].tensor)
        name = self._constant(f"{node.name}{_TWIN}/paddings", pads[list(_TO_LAST)])
        twin = self._twin(node)
        twin.input[:] = [self._twins[_plain(node.input[0])], name]
        return twin


def _plain(name: str) -> str:
    """The name of a value: the first output of a node has the node's name."""
    name = name.lstrip("^")
    return name.removesuffix(":0")


def _node_of(name: str) -> str:
    return name.lstrip("^").partition(":")[0]


def _in_order(nodes: Iterable[node_def_pb2.NodeDef]) -> list[node_def_pb2.NodeDef]:
    """Every node after its inputs."""
    by_name = {node.name: node for node in nodes}
    done: dict[str, node_def_pb2.NodeDef] = {}
    for start in by_name:
        waiting = [start]
        while waiting:
            name = waiting[-1]
            open_inputs = [row for row in map(_node_of, by_name[name].input) if row in by_name and row not in done]
            if name in done:
                waiting.pop()
            elif open_inputs and by_name[name].op not in ("Merge", "NextIteration"):  # edges of loops
                waiting += open_inputs
            else:
                done[name] = by_name[waiting.pop()]
    return list(done.values())


def _needed(graph: graph_pb2.GraphDef, outputs: Sequence[str]) -> graph_pb2.GraphDef:
    by_name = {node.name: node for node in graph.node}
    wanted, waiting = set(), [_node_of(name) for name in outputs]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += [_node_of(row) for row in by_name[name].input]
    result = graph_pb2.GraphDef(versions=graph.versions, library=graph.library)
    result.node.extend(node for node in graph.node if node.name in wanted)
    return result

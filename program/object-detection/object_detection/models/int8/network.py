"""Rewrite the heads of a network to 8-bit convolutions; everything else computes in float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from object_detection.errors import HarnessError
from object_detection.models.detector import Detector
from object_detection.models.int8.convolution import ByteConvolution, largest_weight, to_bytes, to_values
from object_detection.models.int8.groups import Group, groups_of
from object_detection.models.int8.ranges import Steps, steps_of
from object_detection.models.int8.trace import trace


def quantize(network: Detector, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Have the heads of a network compute in 8 bits, in place.

    Parameters
    ----------
    ranges
        Of its values, from `object_detection.models.int8.ranges.observe`.

    Raises
    ------
    HarnessError
        If the network, or this build of PyTorch, has no 8-bit form, or the ranges are those of another network.
    """
    module = trace(network)
    largest = exact_weights()
    groups = groups_of(module)
    if missing := [node.name for group in groups for node in (group.input, group.last) if node.name not in ranges]:
        raise HarnessError(f"the calibration has no range for {missing[0]}", "it is of another model: calibrate again")
    heads = _Rewriting(module, groups, ranges, largest).made()
    network.heads = heads.forward  # type: ignore[method-assign]  # not the module: a method of the class would hide it


def exact_weights() -> int:
    """The largest 8-bit weight with which this processor computes exactly.

    Raises
    ------
    HarnessError
        If this build of PyTorch has no 8-bit convolutions for the processor.
    """
    try:
        return largest_weight()
    except (AttributeError, RuntimeError) as error:
        raise HarnessError(
            f"PyTorch {torch.__version__} has no 8-bit convolutions for this processor: {error}",
            "use --backend.precision=f32, or another machine",
        ) from error


class _Rewriting:
    """A graph that is written again: values exist as bytes, as floats, or both, as their users need."""

    def __init__(
        self, module: fx.GraphModule, groups: list[Group], ranges: Mapping[str, tuple[float, float]], largest: int
    ) -> None:
        self._module, self._largest = module, largest
        self._ranges = ranges
        self._at = {group.last: group for group in groups}
        self._inside = {node for group in groups for node in _inner(group)}
        self._inputs = {group.input for group in groups} | {group.added for group in groups if group.added}
        self._order = {node: place for place, node in enumerate(module.graph.nodes)}
        self._graph = fx.Graph()
        self._floats: dict[fx.Node, fx.Node] = {}
        self._bytes: dict[fx.Node, tuple[fx.Node, Steps]] = {}
        self._root = nn.Module()

    def made(self) -> fx.GraphModule:
        """The new graph."""
        for node in self._module.graph.nodes:
            if (group := self._at.get(node)) is not None:
                self._convolve(group)
            elif node in self._inside:
                continue
            elif self._is_pool(node) and node.args[0] in self._bytes:
                self._pool(node)
            else:
                self._floats[node] = self._copy(node)
        self._graph.lint()
        return fx.GraphModule(self._root, self._graph)

    def _copy(self, node: fx.Node) -> fx.Node:
        """An operation on floats."""
        if node.op in ("call_module", "get_attr"):
            self._keep(str(node.target))
        if node.op == "call_function" and node.target is getattr and node.args[1] == "shape":  # that of the bytes is the same
            return self._graph.node_copy(node, lambda each: self._bytes[each][0] if each in self._bytes else self._floats[each])
        return self._graph.node_copy(node, self._as_float)

    def _keep(self, name: str) -> None:
        """Take a module or tensor of the old graph."""
        owner, _, last = name.rpartition(".")
        found = getattr(self._module.get_submodule(owner), last)
        _place(self._root, name, found)

    def _as_float(self, node: fx.Node) -> fx.Node:
        if node not in self._floats:
            given, steps = self._bytes[node]
            self._floats[node] = self._graph.call_function(to_values, (given, steps.size, steps.zero))
        return self._floats[node]

    def _as_bytes(self, node: fx.Node) -> tuple[fx.Node, Steps]:
        if node not in self._bytes:
            steps = self._steps(node)
            self._bytes[node] = self._graph.call_function(to_bytes, (self._floats[node], steps.size, steps.zero)), steps
        return self._bytes[node]

    def _steps(self, node: fx.Node) -> Steps:
        return steps_of(*self._ranges[node.name])

    def _convolve(self, group: Group) -> None:
        given, steps = self._as_bytes(group.input)
        total: tuple[fx.Node, Steps] | None = None
        if group.added is not None:
            node, of_total = self._as_bytes(group.added)
            if any(self._order[user] > self._order[group.last] for user in group.added.users):
                node = self._graph.call_function(torch.clone, (node,))
            total = node, of_total
        stays = total is not None or self._is_input(group.last)
        result = self._steps(group.last) if stays else None
        layer = self._module.get_submodule(str(group.convolution.target))
        assert isinstance(layer, nn.Conv2d)
        made = ByteConvolution(layer, steps, result, group.activation, self._largest, total[1] if total else None)
        name = f"bytes.{group.convolution.name}"
        _place(self._root, name, made)
        node = self._graph.call_module(name, (given, total[0]) if total else (given,))
        if result is None:
            self._floats[group.last] = node
        else:
            self._bytes[group.last] = node, result

    def _is_input(self, node: fx.Node) -> bool:
        """Whether a convolution takes the value, perhaps after a pool."""
        return node in self._inputs or any(self._is_pool(user) and self._is_input(user) for user in node.users)

    def _is_pool(self, node: fx.Node) -> bool:
        return node.op == "call_module" and type(self._module.get_submodule(str(node.target))) is nn.MaxPool2d

    def _pool(self, node: fx.Node) -> None:
        """The largest of some bytes: the same steps, and nothing is lost."""
        source = node.args[0]
        assert isinstance(source, fx.Node)
        given, steps = self._bytes[source]
        pool = self._module.get_submodule(str(node.target))
        assert isinstance(pool, nn.MaxPool2d)
        window = [_pair(getattr(pool, name)) for name in ("kernel_size", "stride", "padding", "dilation")]
        made = self._graph.call_function(torch.ops.quantized.max_pool2d, (given, *window, pool.ceil_mode))
        self._bytes[node] = made, steps


def _inner(group: Group) -> list[fx.Node]:
    """The nodes of a group before its last one."""
    found, node = [], group.convolution
    while node is not group.last:
        found.append(node)
        node = next(iter(node.users))
    return found


def _pair(value: int | tuple[int, int]) -> list[int]:
    """The sizes of both directions."""
    return [value, value] if isinstance(value, int) else list(value)


def _place(root: nn.Module, name: str, what: Any) -> None:
    """Put a module or tensor below another module."""
    *folders, last = name.split(".")
    for folder in folders:
        if not hasattr(root, folder):
            root.add_module(folder, nn.Module())
        root = getattr(root, folder)
    setattr(root, last, what)

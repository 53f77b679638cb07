"""Convolutions with the operations after them that one 8-bit operation computes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from object_detection.models.int8.trace import is_convolution

_RELU, _RELU6 = "relu", "relu6"
_FUNCTIONS: dict[Callable[..., Any], str] = {
    torch.relu: _RELU, torch.relu_: _RELU, functional.relu: _RELU, functional.relu6: _RELU6
}  # fmt: skip
_MODULES: dict[type[nn.Module], str] = {nn.ReLU: _RELU, nn.ReLU6: _RELU6}
_METHODS = {"relu": _RELU, "relu_": _RELU}
_ADDITIONS = (operator.add, operator.iadd, torch.add)


@dataclass(frozen=True)
class Group:
    """A convolution, what is added to its result, and an activation.

    Attributes
    ----------
    added
        Another value of the graph; None if nothing is added.
    activation
        ``relu``, ``relu6`` or empty.
    last
        The node with the result.
    """

    convolution: fx.Node
    added: fx.Node | None
    activation: str
    last: fx.Node

    @property
    def input(self) -> fx.Node:
        """The input of the convolution."""
        node = self.convolution.args[0]
        assert isinstance(node, fx.Node)
        return node


def groups_of(module: fx.GraphModule) -> list[Group]:
    """The groups, in the order of their results."""
    order = {node: place for place, node in enumerate(module.graph.nodes)}
    taken: set[fx.Node] = set()  # additions
    found = []
    for node in reversed(list(module.graph.nodes)):  # of two convolutions that are added, the later one adds
        if not is_convolution(module, node):
            continue
        added, last = None, node
        if (sum_ := _addition(node)) is not None and sum_ not in taken:
            other = next(each for each in sum_.args if each is not node)
            assert isinstance(other, fx.Node)
            taken.add(sum_)
            added, last = other, sum_
        activation, last = _activated(module, last)
        found.append(Group(node, added, activation, last))
    return sorted(found, key=lambda group: order[group.last])


def _addition(node: fx.Node) -> fx.Node | None:
    """The sum of a convolution's result and another value of the graph, if that is its only use."""
    if len(node.users) != 1:
        return None
    user = next(iter(node.users))
    if user.op != "call_function" or user.target not in _ADDITIONS or user.kwargs or len(user.args) != 2:
        return None
    one, other = user.args
    return user if isinstance(one, fx.Node) and isinstance(other, fx.Node) and one is not other else None


def _activated(module: fx.GraphModule, node: fx.Node) -> tuple[str, fx.Node]:
    """The activation of a value and its node, if that is the value's only use; else no activation and the value itself."""
    if len(node.users) != 1:
        return "", node
    user = next(iter(node.users))
    if user.op == "call_module":
        name = _MODULES.get(type(module.get_submodule(str(user.target))), "")
    elif user.op == "call_method":
        name = _METHODS.get(str(user.target), "")
    else:
        name = _FUNCTIONS.get(user.target, "") if callable(user.target) else ""
    return (name, user) if name else ("", node)

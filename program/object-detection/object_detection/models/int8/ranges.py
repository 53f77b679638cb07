"""The ranges of a network's values over calibration images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from object_detection.models.int8.groups import groups_of

_STEPS = 255  # between the lowest and the highest byte


@dataclass(frozen=True)
class Steps:
    """Bytes for real values: ``(byte - zero) × size``."""

    size: float
    zero: int


def steps_of(low: float, high: float) -> Steps:
    """Steps that cover a range, in which zero is exact.

    >>> steps_of(-1.0, 1.55)
    Steps(size=0.01, zero=100)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    size = (high - low) / _STEPS or 1.0
    return Steps(size, round(-low / size))


def observe(module: fx.GraphModule, batches: Iterable[Tensor]) -> dict[str, tuple[float, float]]:
    """The lowest and highest values of inputs and results of groups, by the name of the node."""
    watched = {node.name for group in groups_of(module) for node in (group.input, group.last)}
    found: dict[str, tuple[float, float]] = {}
    with torch.inference_mode():
        for batch in batches:
            _Watching(module, watched, found).run(batch)
    return found


class _Watching(fx.Interpreter):
    """Runs a graph and notes the ranges of some values."""

    def __init__(self, module: fx.GraphModule, watched: set[str], found: dict[str, tuple[float, float]]) -> None:
        super().__init__(module)
        self._watched, self._found = watched, found

    def run_node(self, node: fx.Node) -> Any:
        """Run a node."""
        value = super().run_node(node)
        if node.name in self._watched:
            low, high = (float(each) for each in torch.aminmax(value))
            before = self._found.get(node.name, (low, high))
            self._found[node.name] = (min(low, before[0]), max(high, before[1]))
        return value

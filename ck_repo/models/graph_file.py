"""The interface of a frozen graph of TensorFlow, read from its protobuf without TensorFlow and without reading weights.

Field numbers: graph.proto, node_def.proto, attr_value.proto and tensor_shape.proto of TensorFlow.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from ck_repo.models.protobuf import DamagedError, Span, fields, read_interface, text
from ck_repo.models.tensors import Interface, Tensor

DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    6: "int8",
    7: "str",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    19: "float16",
}
_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
_UNSET = (1 << 64) - 1  # -1, for an unknown size


def read_graph(path: Path) -> Interface:
    """Read a graph's placeholders as inputs; outputs are the results that no other node uses.

    Raises
    ------
    DetectError
        If the file is empty, truncated, not a graph, or a graph whose variables are not frozen.
    """
    return read_interface(path, _graph, "a frozen graph of TensorFlow", "download or freeze it again")


def _graph(data: mmap.mmap) -> Interface:
    inputs, names, taken = [], [], set()
    for number, _, span in fields(data, (0, len(data))):
        if number != 1:
            continue
        node = _Node(data, span)
        if node.operation in _VARIABLES:
            raise DamagedError(f"the variable {node.name} is not frozen")
        if node.operation == "Placeholder":
            inputs.append(node.placeholder())
        elif node.operation not in ("Const", "NoOp"):
            names.append(node.name)
        taken |= {name.lstrip("^").partition(":")[0] for name in node.inputs}
    if not inputs:
        raise DamagedError("it has no placeholder")
    outputs = tuple(Tensor(f"{name}:0", "", ()) for name in names if name not in taken)
    return Interface(tuple(inputs), outputs)


class _Node:
    """A node: its name, its operation, and its inputs."""

    def __init__(self, data: mmap.mmap, span: Span) -> None:
        self._data = data
        self.name = self.operation = ""
        self.inputs: list[str] = []
        self._attributes: dict[str, Span] = {}
        for number, _, below in fields(data, span):
            if number == 1:
                self.name = text(data, below)
            elif number == 2:
                self.operation = text(data, below)
            elif number == 3:
                self.inputs.append(text(data, below))
            elif number == 5 and self.operation == "Placeholder":
                parts = {inner: place for inner, _, place in fields(data, below)}
                self._attributes[text(data, parts.get(1, (0, 0)))] = parts.get(2, (0, 0))

    def placeholder(self) -> Tensor:
        """The input of a placeholder."""
        dtype = next((value for number, value, _ in self._attribute("dtype") if number == 6), 0)
        shape: list[int | None] = []
        for number, _, span in self._attribute("shape"):
            if number == 7:
                shape = [dimension(self._data, dim) for inner, _, dim in fields(self._data, span) if inner == 2]
        return Tensor(f"{self.name}:0", DTYPES.get(dtype, f"type {dtype}"), tuple(shape))

    def _attribute(self, name: str) -> list[tuple[int, int, Span]]:
        return list(fields(self._data, self._attributes[name])) if name in self._attributes else []


def dimension(data: mmap.mmap, span: Span) -> int | None:
    """A size of a shape; None if it is unknown."""
    size = next((value for number, value, _ in fields(data, span) if number == 1), 0)
    return size if 0 < size < _UNSET >> 1 else None

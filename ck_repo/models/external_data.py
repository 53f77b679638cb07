"""The external files from which an ONNX model reads weights.

Field numbers: onnx.proto of ONNX (ModelProto, GraphProto, TensorProto, StringStringEntryProto, AttributeProto).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ck_repo.models.protobuf import DamagedError, Span, fields, text

_GRAPH, _NODE, _INITIALIZER, _ATTRIBUTE, _TENSOR, _SUBGRAPH, _EXTERNAL = 7, 1, 5, 5, 5, 6, 13
_DEEPEST = 8  # maximum nesting of graphs


def external_data(path: Path) -> dict[str, int]:
    """The minimum size in bytes of each external file of a model, by its name below the model's folder.

    Empty for a file that is not a model; reading its interface reports the error.
    """
    found: dict[str, int] = {}
    with (
        suppress(ValueError, DamagedError),
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for number, _, span in fields(data, (0, len(data))):
            if number == _GRAPH:
                for location, end in _of_graph(data, span, 0):
                    found[location] = max(end, found.get(location, 0))
    return found


def _of_graph(data: mmap.mmap, graph: Span, depth: int) -> Iterator[tuple[str, int]]:
    if depth > _DEEPEST:
        return
    for number, _, span in fields(data, graph):
        if number == _INITIALIZER:
            yield from _of_tensor(data, span)
        elif number == _NODE:
            for inner, _, attribute in fields(data, span):
                if inner == _ATTRIBUTE:
                    for kind, _, below in fields(data, attribute):
                        if kind == _TENSOR:
                            yield from _of_tensor(data, below)
                        elif kind == _SUBGRAPH:
                            yield from _of_graph(data, below, depth + 1)


def _of_tensor(data: mmap.mmap, tensor: Span) -> Iterator[tuple[str, int]]:
    pairs: dict[str, str] = {}
    for number, _, span in fields(data, tensor):
        if number == _EXTERNAL:
            entry = {inner: text(data, below) for inner, _, below in fields(data, span)}
            pairs[entry.get(1, "")] = entry.get(2, "")
    if pairs.get("location"):
        end = 0
        with suppress(ValueError):
            end = int(pairs.get("offset") or 0) + int(pairs.get("length") or 0)
        yield pairs["location"], end

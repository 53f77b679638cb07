"""The interface of an ONNX file, read from its protobuf without a framework and without reading weights.

Field numbers: onnx.proto of ONNX (ModelProto, GraphProto, ValueInfoProto, TypeProto, TensorShapeProto).
"""

from __future__ import annotations

import mmap
from pathlib import Path

from ck_repo.models.protobuf import DamagedError, Span, fields, read_interface, text
from ck_repo.models.tensors import Interface, Tensor

_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "str", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip
_LONGEST = 1000  # characters of a metadata value that are read


def read_onnx(path: Path) -> Interface:
    """Read an ONNX file's inputs, outputs and opset.

    Raises
    ------
    DetectError
        If the file is empty, truncated or not an ONNX file.
    """
    return read_interface(path, _model, "an ONNX model", "download or export it again")


def _model(data: mmap.mmap) -> Interface:
    graph: Span | None = None
    opset = 0
    metadata: dict[str, str] = {}
    for number, _, span in fields(data, (0, len(data))):
        if number == 7:
            graph = span
        elif number == 14:
            entry = {inner: text(data, below)[:_LONGEST] for inner, _, below in fields(data, span)}
            metadata[entry.get(1, "")] = entry.get(2, "")
        elif number == 8:
            domain, version = "", 0
            for inner, value, below in fields(data, span):
                domain = text(data, below) if inner == 1 else domain
                version = value if inner == 2 else version
            if domain in ("", "ai.onnx"):
                opset = version
    if not opset:
        raise DamagedError("it has no opset")
    if graph is None:
        raise DamagedError("it has no graph")
    weights, inputs, outputs = set(), [], []
    for number, _, span in fields(data, graph):
        if number == 5:
            weights |= {text(data, below) for inner, _, below in fields(data, span) if inner == 8}
        elif number == 11:
            inputs.append(_value_info(data, span))
        elif number == 12:
            outputs.append(_value_info(data, span))
    inputs = [row for row in inputs if row.name not in weights]  # older files list weights among the inputs
    if not inputs or not outputs:
        raise DamagedError("it has no inputs or no outputs")
    return Interface(tuple(inputs), tuple(outputs), opset, metadata)


def _value_info(data: mmap.mmap, span: Span) -> Tensor:
    name, dtype, shape = "", 0, []
    for number, _, below in fields(data, span):
        if number == 1:
            name = text(data, below)
        elif number == 2:
            for kind, _, tensor in fields(data, below):
                if kind != 1:
                    continue
                for part, value, inner in fields(data, tensor):
                    if part == 1:
                        dtype = value
                    elif part == 2:
                        shape = [_dimension(data, dim) for each, _, dim in fields(data, inner) if each == 1]
    return Tensor(name, _DTYPES.get(dtype, f"type {dtype}"), tuple(shape))


def _dimension(data: mmap.mmap, span: Span) -> int | None:
    for number, value, _ in fields(data, span):
        if number == 1 and 0 < value < 1 << 62:
            return value
    return None

"""The interface of an ONNX file, read from its protobuf without any framework and without reading the weights.

Field numbers: onnx.proto of ONNX (ModelProto, GraphProto, ValueInfoProto, TypeProto, TensorShapeProto).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from ck_repo.detect.tensors import DetectError, Interface, Tensor

_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "str", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Span = tuple[int, int]


class _Damaged(Exception):
    pass


def read_onnx(path: Path) -> Interface:
    """Read an ONNX file's inputs, outputs and opset.

    Raises
    ------
    DetectError
        If the file is empty, cut short or no ONNX file.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _model(data)
    except (ValueError, _Damaged) as error:
        why = "it is empty" if path.stat().st_size == 0 else f"it is cut short or of another format ({error})"
        raise DetectError(f"{path} is not an ONNX model: {why}", hint="fetch or export it again") from None


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            break
    raise _Damaged(f"a number runs on at byte {at}")


def _fields(data: mmap.mmap, span: Span) -> Iterator[tuple[int, int, Span]]:
    """(field number, value if it is a number, where its bytes are) of every field of a message."""
    at, end = span
    while at < end:
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        value, begin = 0, at
        if kind == _VARINT:
            value, at = _varint(data, at, end)
        elif kind == _BYTES:
            length, begin = _varint(data, at, end)
            at = begin + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise _Damaged(f"unknown wire type {kind} at byte {at}")
        if at > end:
            raise _Damaged(f"field {number} ends at byte {at}, its message at {end}")
        yield number, value, (begin, at)


def _text(data: mmap.mmap, span: Span) -> str:
    return data[span[0] : span[1]].decode("utf-8", "replace")


def _model(data: mmap.mmap) -> Interface:
    graph: Span | None = None
    opset = 0
    for number, _, span in _fields(data, (0, len(data))):
        if number == 7:
            graph = span
        elif number == 8:
            domain, version = "", 0
            for inner, value, below in _fields(data, span):
                domain = _text(data, below) if inner == 1 else domain
                version = value if inner == 2 else version
            if domain in ("", "ai.onnx"):
                opset = version
    if not opset:
        raise _Damaged("it names no opset")
    if graph is None:
        raise _Damaged("it has no graph")
    weights, inputs, outputs = set(), [], []
    for number, _, span in _fields(data, graph):
        if number == 5:
            weights |= {_text(data, below) for inner, _, below in _fields(data, span) if inner == 8}
        elif number == 11:
            inputs.append(_value_info(data, span))
        elif number == 12:
            outputs.append(_value_info(data, span))
    inputs = [row for row in inputs if row.name not in weights]  # older files list weights among the inputs
    if not inputs or not outputs:
        raise _Damaged("it has no inputs or no outputs")
    return Interface(tuple(inputs), tuple(outputs), opset)


def _value_info(data: mmap.mmap, span: Span) -> Tensor:
    name, dtype, shape = "", 0, []
    for number, _, below in _fields(data, span):
        if number == 1:
            name = _text(data, below)
        elif number == 2:
            for kind, _, tensor in _fields(data, below):
                if kind != 1:
                    continue
                for part, value, inner in _fields(data, tensor):
                    if part == 1:
                        dtype = value
                    elif part == 2:
                        shape = [_dimension(data, dim) for each, _, dim in _fields(data, inner) if each == 1]
    return Tensor(name, _DTYPES.get(dtype, f"type {dtype}"), tuple(shape))


def _dimension(data: mmap.mmap, span: Span) -> int | None:
    for number, value, _ in _fields(data, span):
        if number == 1 and 0 < value < 1 << 62:
            return value
    return None

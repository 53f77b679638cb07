"""Protobuf messages, field by field: ONNX files and frozen TensorFlow graphs without a framework."""

from __future__ import annotations

from pathlib import Path


def field(number: int, content: bytes | int) -> bytes:
    """A field of a protobuf message: bytes or a number."""
    if isinstance(content, int):
        return bytes([number << 3]) + varint(content)
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def value_info(name: str, dtype: int, *sizes: int | str) -> bytes:
    """ValueInfoProto of onnx.proto; a text for a size is its dim_param."""
    shape = b"".join(field(1, field(2, s.encode()) if isinstance(s, str) else field(1, s)) for s in sizes)
    return field(1, name.encode()) + field(2, field(1, field(1, dtype) + field(2, shape)))


def write_onnx_graph(path: Path, *graph: bytes, opset: int = 8) -> Path:
    """ModelProto with a graph of these fields."""
    path.write_bytes(field(1, 4) + field(7, b"".join(graph)) + field(8, field(1, b"") + field(2, opset)))
    return path


def node(name: str, operation: str, *inputs: str, attributes: bytes = b"") -> bytes:
    """NodeDef of node_def.proto, as a field of GraphDef."""
    parts = field(1, name.encode()) + field(2, operation.encode()) + b"".join(field(3, row.encode()) for row in inputs)
    return field(1, parts + attributes)


def placeholder(name: str, dtype: int, *sizes: int) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in sizes)
    attributes = field(5, field(1, b"dtype") + field(2, field(6, dtype)))
    attributes += field(5, field(1, b"shape") + field(2, field(7, shape)))
    return node(name, "Placeholder", attributes=attributes)

"""PyTorch files, assembled instruction by instruction without a framework."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence

MAGIC = 0x1950A86A20F9469CFC6C  # torch/serialization.py
PROTOCOL = b"\x80\x02"


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """LONG1."""
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return b"c" + f"{module}\n{attribute}\n".encode()


def row(*parts: bytes) -> bytes:
    """TUPLE of what the parts push."""
    return b"(" + b"".join(parts) + b"t"


def call(target: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return target + row(*arguments) + b"R"


def table(items: Mapping[str, bytes]) -> bytes:
    """A dictionary."""
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def module(parameters: Mapping[str, bytes], modules: Mapping[str, bytes] | None = None, kind: str = "Net") -> bytes:
    """An object of a class that is not installed, as PyTorch's modules are pickled."""
    state = {"_parameters": table(parameters), "_buffers": table({}), "_modules": table(modules or {})}
    return name("somebody.elses.models", kind) + b")\x81" + table(state) + b"b"


def tensor(
    key: str,
    shape: Sequence[int],
    *,
    kind: str = "FloatStorage",
    strides: Sequence[int] | None = None,
    count: int | None = None,
    offset: int = 0,
) -> bytes:
    """A tensor whose numbers are in the storage `key`."""
    steps: list[int] = []
    size = 1
    for side in reversed(shape):
        steps.insert(0, size)
        size *= side
    parts = [text("storage"), name("torch", kind), text(key), text("cpu"), number(size if count is None else count), b"N"]
    return call(
        name("torch._utils", "_rebuild_tensor_v2"),
        row(*parts) + b"Q",
        number(offset),
        row(*map(number, shape)),
        row(*map(number, strides or steps)),
        b"\x89",
        call(name("collections", "OrderedDict")),
    )


def legacy(body: bytes, storages: Mapping[str, bytes], *, items: Mapping[str, int] | None = None) -> bytes:
    """A file as PyTorch wrote it before 1.6; numbers of a storage have 4 bytes by default."""
    head = b"".join(pickle.dumps(value, 2) for value in (MAGIC, 1001, {"protocol_version": 1001, "little_endian": True}))
    tail = pickle.dumps(list(storages), 2)
    for key, raw in storages.items():
        tail += struct.pack("<q", len(raw) // (items or {}).get(key, 4)) + raw
    return head + PROTOCOL + body + b"." + tail


def zipped(body: bytes, storages: Mapping[str, bytes]) -> bytes:
    """A file as PyTorch writes it since 1.6."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", PROTOCOL + body + b".")
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw)
    return content.getvalue()

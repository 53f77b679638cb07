"""Read messages of Protocol Buffers, without their classes and without copying data that is not needed.

Source: the wire format in the documentation of Protocol Buffers.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from pathlib import Path

from ck_repo.errors import DetectError
from ck_repo.models.tensors import Interface

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Span = tuple[int, int]  # start and end of a field's bytes


class DamagedError(Exception):
    """The data is not a message, or is truncated."""


class LacksError(Exception):
    """A complete message without a required part; the text completes "it has no …"."""


def read_interface(path: Path, read: Callable[[mmap.mmap], Interface], what: str, hint: str) -> Interface:
    """Read a file's interface.

    Parameters
    ----------
    read
        Reads it from the mapped file.
    what
        The expected kind of file, for the message.
    hint
        What to do if it is not.

    Raises
    ------
    DetectError
        If the file is damaged, of another kind, or lacks a required part.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read(data)
    except LacksError as error:
        raise DetectError(f"{path} cannot be used: {error}", hint=hint) from None
    except (ValueError, DamagedError) as error:
        why = "it is empty" if path.stat().st_size == 0 else f"it is truncated or has another format ({error})"
        raise DetectError(f"{path} is not {what}: {why}", hint=hint) from None


def varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """Read a number of up to 64 bits; the format is protobuf's.

    Parameters
    ----------
    at, end
        Positions of its first byte, and of the end of the message.

    Returns
    -------
    value, position : int
        The number, and the position after it.

    Raises
    ------
    DamagedError
        If the message ends before it, or it is longer.
    """
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
    raise DamagedError(f"a number is too long at byte {at}")


def fields(data: mmap.mmap, span: Span) -> Iterator[tuple[int, int, Span]]:
    """The fields of a message.

    Parameters
    ----------
    span
        Begin and end of the message in the file, bytes.

    Yields
    ------
    number, value, span
        Field number, value if it is a number (else 0), and the range of its bytes.

    Raises
    ------
    DamagedError
        If a field leads out of the message, or has an unknown type.
    """
    at, end = span
    while at < end:
        tag, at = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        value, begin = 0, at
        if kind == _VARINT:
            value, at = varint(data, at, end)
        elif kind == _BYTES:
            length, begin = varint(data, at, end)
            at = begin + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise DamagedError(f"unknown wire type {kind} at byte {at}")
        if at > end:
            raise DamagedError(f"field {number} ends at byte {at}, its message at {end}")
        yield number, value, (begin, at)


def text(data: mmap.mmap, span: Span) -> str:
    """A text field."""
    return data[span[0] : span[1]].decode("utf-8", "replace")

"""TIFF directories, in TIFF images and in the EXIF data of other images."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ORIENTATION = 274
_SIZES = {3: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}  # types of values that are read: 16, 32 and 64 bits
_SHORT = 3  # the type of an orientation
_BIG = 43  # the number of BigTIFF, whose places and counts have 64 bits
_MAX_TAGS = 4096


@dataclass(frozen=True)
class _Tag:
    """A tag of the first directory; `place` is that of its first value."""

    order: str
    number: int
    kind: int
    place: int


def read_tiff(content: bytes) -> dict[int, int]:
    """The integer tags of the first directory; for a tag with several values the first.

    Raises
    ------
    struct.error
        If it is truncated.
    """
    return {
        tag.number: struct.unpack_from(f"{tag.order}{_SIZES[tag.kind][0]}", content, tag.place)[0] for tag in _tags(content)
    }


def without_orientation(content: bytes) -> bytes:
    """Mark a TIFF image's pixels as upright: OpenCV rotates TIFF images even if that is disabled."""
    try:
        for tag in _tags(content):
            if tag.number == _ORIENTATION and tag.kind == _SHORT:
                return content[: tag.place] + struct.pack(f"{tag.order}H", 1) + content[tag.place + 2 :]
    except struct.error:
        pass  # truncated: the decoder reports it
    return content


def orientation_in_exif(content: bytes) -> int:
    """The orientation in EXIF data, 1 to 8; 1 if it is missing or damaged."""
    try:
        value = read_tiff(content).get(_ORIENTATION, 1)
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def _tags(content: bytes) -> Iterator[_Tag]:
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return
    big = struct.unpack_from(f"{order}H", content, 2)[0] == _BIG
    start, counted, word, width = (8, "Q", "Q", 8) if big else (4, "H", "I", 4)
    (at,) = struct.unpack_from(f"{order}{word}", content, start)
    (count,) = struct.unpack_from(f"{order}{counted}", content, at)
    first, length = at + struct.calcsize(f"={counted}"), 4 + 2 * width
    for number in range(min(count, _MAX_TAGS)):
        entry = first + length * number
        tag, kind, values = struct.unpack_from(f"{order}HH{word}", content, entry)
        if kind not in _SIZES or not values:
            continue
        place = entry + 4 + width
        if values * _SIZES[kind][1] > width:  # they lie elsewhere
            (place,) = struct.unpack_from(f"{order}{word}", content, place)
        yield _Tag(order, tag, kind, place)

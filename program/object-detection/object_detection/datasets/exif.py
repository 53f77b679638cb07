"""TIFF directories, in TIFF images and in the EXIF data of other images."""

from __future__ import annotations

import struct

_ORIENTATION = 274
_SIZES = {3: ("H", 2), 4: ("I", 4)}  # types of values that are read: 16 and 32 bits
_MOST_TAGS = 4096


def read_tiff(content: bytes) -> dict[int, int]:
    """The integer tags of the first directory; for a tag with several values the first.

    Raises
    ------
    struct.error
        If it is truncated.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return {}
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, at)
    found: dict[int, int] = {}
    for number in range(min(count, _MOST_TAGS)):
        place = at + 2 + 12 * number
        tag, kind, values = struct.unpack_from(f"{order}HHI", content, place)
        if kind not in _SIZES or not values:
            continue
        code, size = _SIZES[kind]
        if values * size > 4:  # stored at an offset
            (place,) = struct.unpack_from(f"{order}I", content, place + 8)
        else:
            place += 8
        found[tag] = struct.unpack_from(f"{order}{code}", content, place)[0]
    return found


def without_orientation(content: bytes) -> bytes:
    """Mark a TIFF image's pixels as upright: OpenCV rotates TIFF images even if that is disabled."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return content
    try:
        (at,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, at)
        for place in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, value = struct.unpack_from(f"{order}HH4xH", content, place)
            if tag == _ORIENTATION and kind == 3 and value != 1:
                return content[: place + 8] + struct.pack(f"{order}H", 1) + content[place + 10 :]
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

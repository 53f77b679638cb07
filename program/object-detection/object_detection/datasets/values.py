"""Values as written by labelling tools: numbers in quotes, ids of any kind."""

from __future__ import annotations

import math
from typing import Any

from object_detection.datasets.truth import Identity

EXACT = 1 << 53  # beyond it float64 mixes up integers, and they are treated as names
_LONGEST_ID = 256  # bits, as of a hash


def number(value: Any) -> float | None:
    """A finite number, also in quotes; None for other values.

    >>> number("12.5"), number(3), number(True), number("wide"), number(float("nan"))
    (12.5, 3.0, None, None, None)
    """
    kind = type(value)  # a million annotations have ten million values: check the usual types first
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is not int and kind is not str:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """An integer, also as 3.0 or "3"; None for other values."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def identity(value: Any) -> Identity | None:
    """An id: an integer if it looks like one, else its text; None for invalid ids.

    >>> identity("0012"), identity(7.0), identity("frame_0001"), identity(1 << 60), identity(None)
    (12, 7, 'frame_0001', '1152921504606846976', None)
    """
    if type(value) is int:
        return value if -EXACT < value < EXACT else str(value) if value.bit_length() <= _LONGEST_ID else None
    if isinstance(value, str):
        text = value.strip()
        if text.lstrip("-").isdecimal() and text.isascii() and len(text) < 16:
            return int(text)
        return text or None
    found = whole(value)
    return found if found is not None and abs(found) < EXACT else None


def flag(value: Any) -> int | None:
    """0 or 1, also as false, "0" or 0.0; null is 0; None for other values."""
    if type(value) is int and 0 <= value <= 1:
        return value
    if value is None or isinstance(value, bool):
        return int(bool(value))
    found = whole(value)
    return found if found in (0, 1) else None

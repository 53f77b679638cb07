"""UIDs: 16 hexadecimal digits that identify an entry, whatever its alias."""

from __future__ import annotations

import os

_DIGITS = frozenset("0123456789abcdef")


def new_uid() -> str:
    """A random UID."""
    return os.urandom(8).hex()


def is_uid(text: str) -> bool:
    """Whether `text` has the form of a UID.

    >>> is_uid("032630d041b4fd8a"), is_uid("module")
    (True, False)
    """
    return len(text) == 16 and _DIGITS.issuperset(text)


def uid_from_digest(digest: str) -> str:
    """The UID of something that has a digest: its first 16 digits, the same on every machine."""
    return digest[:16]

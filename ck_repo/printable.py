"""Untrusted text for printing, without terminal control sequences."""

from __future__ import annotations

import re

# control characters except tab and newline (ESC starts terminal commands), and those that change the text direction
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: object) -> str:
    r"""The text with control characters escaped, except for tabs and newlines.

    >>> printable("a\x1b[31m red\n")
    'a\\x1b[31m red\n'
    """
    return _OBEYED.sub(lambda found: found.group().encode("unicode_escape").decode(), str(text))

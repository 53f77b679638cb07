"""Randomly damaged inputs for parsers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

# JSON values for places where something else is expected
_ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -(10**400), 0.5, 1e308, float("inf"), float("-inf"), float("nan"), "",
    "text", "0", "1.5", "²", "\x00", "\x1b[31m", "\ud800", "a\tb", "../x", "/etc/passwd", "x" * 5000, "é" * 300, [], {}, [[]],
    [{}], [1, "a", None], [None], {"": None}, {"a": {"b": {"c": []}}}, ["http://["], "http://[", "git+https://x@" + "0" * 40,
    {"url": "file:///x"}, {"tags": 1}, [["\ud800"]], ">=1,<", "~=", "*", "?", "-", "a:b:c:d",
]  # fmt: skip


def odd_values() -> st.SearchStrategy[Any]:
    """A value that a parser may not expect."""
    leaf = st.one_of(
        st.sampled_from(_ODD), st.integers(), st.floats(), st.text(st.characters(), max_size=20), st.booleans(), st.none()
    )
    return st.one_of(leaf, st.lists(leaf, max_size=3), st.dictionaries(st.text(max_size=5), leaf, max_size=3))


@st.composite
def damaged_json(draw: st.DrawFn, documents: list[dict[str, Any]]) -> Any:
    """A document with some values, at any depth, replaced, removed or moved to another key."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            return copy.deepcopy(draw(odd_values()))
        parent, key = draw(st.sampled_from(places))
        action = draw(st.integers(0, 9))
        if action == 0:
            del parent[key]
        elif action == 1 and isinstance(parent, dict):
            parent[draw(st.text(max_size=8))] = parent.pop(key)
        elif action == 2 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        else:
            parent[key] = copy.deepcopy(draw(odd_values()))
    return document


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in list(rows):
        found.append((value, key))
        found += _places(below)
    return found


@st.composite
def damaged_bytes(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """A content truncated, flipped, repeated or mixed with random bytes."""
    data = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        action = draw(st.integers(0, 5))
        if action == 0:
            del data[at:]
        elif action == 1 and at < len(data):
            data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x20, 0x22, 0x5B, 0x7B, 0x2E, 0x39]))
        elif action == 2 and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif action == 3:
            noise = st.one_of(st.binary(max_size=12), st.sampled_from([b"9" * 400, b"[" * 2000, b"\xff\xfe", b"1e400"]))
            data[at:at] = draw(noise)
        elif action == 4:
            length = draw(st.integers(0, 40))
            data[at:at] = data[at : at + length]
        else:
            length = draw(st.integers(0, 40))
            del data[at : at + length]
    return bytes(data)


def as_file(value: Any) -> bytes:
    """JSON as in a file; with lone surrogates and JavaScript's constants."""
    try:
        return json.dumps(value).encode()
    except ValueError:  # an integer too long to print
        return b'{"a": ' + b"9" * 5000 + b"}"


Parser = Callable[[Any], object]

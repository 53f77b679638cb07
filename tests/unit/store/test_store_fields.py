"""A wrong value in a file is reported with file and key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ck_repo.errors import ConfigError
from ck_repo.store.fields import Fields


def test_values_are_read_with_their_types() -> None:
    row = Fields({"a": "x", "n": 3, "yes": "Yes", "tags": "p,q", "t": {"u": {"k": 1}}, "l": [{"k": "v"}]}, "file")
    assert (row.text("a"), row.text("n"), row.text("none", "d")) == ("x", "3", "d")
    assert (row.integer("n"), row.integer("none")) == (3, None)
    assert (row.flag("yes"), row.flag("none")) == (True, False)
    assert row.tags() == ("p", "q")
    assert row.each("t")["u"].integer("k") == 1
    assert [each.needed("k") for each in row.rows("l")] == ["v"]
    assert "a" in row
    assert "b" not in row


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda row: row.text("b"), "m.json: b is True, not a text"),
        (lambda row: row.needed("none"), "m.json: none is None, not a text"),
        (lambda row: row.integer("s"), "m.json: s is '7', not an integer"),
        (lambda row: row.integer("b"), "m.json: b is True, not an integer"),
        (lambda row: row.flag("s"), "m.json: s is '7', not true or false"),
        (lambda row: row.tags("n"), "m.json: n is 7, not a list of tags"),
        (lambda row: row.texts("l"), r"m.json: l is \[1\], not a list of texts"),
        (lambda row: row.table("l"), r"m.json: l is \[1\], not an object"),
        (lambda row: row.rows("s"), "m.json: s is '7', not a list"),
        (lambda row: row.rows("l"), r"m.json: l\[0\] is 1, not an object"),
        (lambda row: row.fields("t").fields("u").text("v"), r"m.json: t.u.v is \[\], not a text"),
        (lambda row: row.each("w"), "m.json: w.x is 1, not an object"),
        (lambda row: row.fields("t").only("uu"), r"m.json: t.u is not a known key\ndid you mean uu"),
    ],
)
def test_wrong_value_is_reported_with_file_and_key(read: Callable[[Fields], object], words: str) -> None:
    content = {"b": True, "s": "7", "n": 7, "l": [1], "t": {"u": {"v": []}}, "w": {"x": 1}}
    with pytest.raises(ConfigError, match=words):
        read(Fields(content, "m.json"))

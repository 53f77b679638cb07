"""Dataclasses from JSON: accepted values, and the key that an error names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ck_repo.contract.record import FieldError, optional, other_keys, read, transient, write
from ck_repo.errors import ConfigError
from ck_repo.store.fields import Fields


@dataclass(frozen=True)
class Side:
    """A part."""

    pixels: int
    name: str = optional("")


@dataclass(frozen=True)
class Thing:
    """A record with a field of each type."""

    file: Path
    side: Side
    share: float
    more: tuple[Side, ...] = optional(())
    seconds: Mapping[str, float] = optional({})
    last: Side | None = optional()
    usable: bool = optional(True)
    rest: Mapping[str, Any] = other_keys()
    uid: str = transient("")


WHOLE = {"file": "a/b", "side": {"pixels": 3}, "share": 0.5}


def test_record_round_trips() -> None:
    content = {**WHOLE, "more": [{"pixels": 1, "name": "one"}], "last": {"pixels": 4}, "usable": False, "unheard-of": [1]}
    found = read(Thing, content)
    assert (found.file, found.side, found.last) == (Path("a/b"), Side(3), Side(4))
    assert found.rest == {"unheard-of": [1]}
    assert write(found) == content


def test_defaults_replace_missing_or_null_values() -> None:
    found = read(Thing, {**WHOLE, "more": None, "usable": None, "last": {}})
    assert (found.more, found.usable, found.last, found.seconds) == ((), True, None, {})
    assert write(found) == WHOLE


def test_fields_outside_the_file_are_neither_read_nor_written() -> None:
    found = read(Thing, {**WHOLE, "uid": "1"})
    assert found.uid == ""
    assert write(Thing(**{**vars(found), "uid": "2"})) == WHOLE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": None}, "file is None, not a path"),
        ({"file": 5}, "file is 5, not a path"),
        ({"side": {}}, "side.pixels is None, not an integer"),
        ({"side": 4}, "side is 4, not an object"),
        ({"side": {"pixels": 1.5}}, "side.pixels is 1.5, not an integer"),
        ({"side": {"pixels": True}}, "side.pixels is True, not an integer"),
        ({"side": {"pixels": 1, "name": ["a"]}}, r"side.name is \['a'\], not a text"),
        ({"share": float("nan")}, "share is nan, not a finite number"),
        pytest.param({"share": 10**400}, "not a finite number", id="too large"),
        ({"share": "1"}, "share is '1', not a finite number"),
        ({"more": {"a": 1}}, "more is {'a': 1}, not a list"),
        ({"more": [{"pixels": 1}, {"pixels": "x"}]}, r"more\[1\].pixels is 'x', not an integer"),
        ({"seconds": {"a": "b"}}, "seconds.a is 'b', not a finite number"),
        ({"seconds": []}, r"seconds is \[\], not an object"),
        ({"last": {"name": "a"}}, "last.pixels is None, not an integer"),
        ({"usable": 1}, "usable is 1, not true or false"),
    ],
    ids=str,
)
def test_error_names_key_value_and_expected_type(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        read(Thing, {**WHOLE, **changes})
    with pytest.raises(ConfigError, match=f"a.json: .*{message}"):
        Fields({**WHOLE, **changes}, "a.json").record(Thing)


def test_nested_part_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"a\.json: things\[1\]\.share is 'x', not a finite number") as caught:
        [
            row.record(Thing, "remove it")
            for row in Fields({"things": [WHOLE, {**WHOLE, "share": "x"}]}, "a.json").rows("things")
        ]
    assert caught.value.hint == "remove it"


def test_unknown_keys_are_rejected_if_strict() -> None:
    assert read(Thing, {**WHOLE, "side": {"pixels": 1, "depth": 2}}).side == Side(1)
    with pytest.raises(FieldError, match=r"side\.depth is 2, not a known key"):
        read(Thing, {**WHOLE, "side": {"pixels": 1, "depth": 2}}, exact=[Side])

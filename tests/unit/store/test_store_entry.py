"""Reading entries, and reporting those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import ConfigError
from ck_repo.store.entry import Entry, read_json_object, read_uid
from ck_repo.store.uid import is_uid

UID = "0123456789abcdef"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{\n  "tags": [,]\n}', "is not JSON: Expecting value at line 2, column 12"),
        (b"", "is not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1', "is not JSON"),
        (b'{"a": "\xff"}', "is not UTF-8 text"),
        (b"[1, 2]", "holds a list, not an object"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be read as JSON"),
        (b'{"a": ' + b"[" * 100_000, "cannot be read as JSON"),
    ],
    ids=["comma", "empty", "cut", "latin", "list", "long number", "deep"],
)
def test_corrupt_meta_is_reported_with_its_file(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "meta.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_json_object(path)
    assert str(caught.value).startswith(f"{path} {words}")


@pytest.mark.parametrize("alias", [None, b"", b"\xff\xff", b"no uid"])
def test_uid_comes_from_info_json_without_alias_file(tmp_path: Path, by_hand: Callable[..., Path], alias: bytes | None) -> None:
    folder = by_hand(tmp_path / "a", {})
    (folder / ".cm" / "info.json").write_text('{"backup_data_uid": "' + UID + '"}')
    if alias is not None:
        (tmp_path / ".cm").mkdir()
        (tmp_path / ".cm" / "alias-a-a").write_bytes(alias)
    assert read_uid(folder) == UID


def test_entry_without_uid_names_both_files(tmp_path: Path, by_hand: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"alias-a-a.*info\.json"):
        read_uid(by_hand(tmp_path / "a", {}))


@pytest.mark.parametrize("tags", ["a,b", ["a", "b"], " a , b,,"])
def test_tags_are_a_list_or_comma_separated_text(tmp_path: Path, by_hand: Callable[..., Path], tags: object) -> None:
    assert Entry("local", "dataset", "a", UID, by_hand(tmp_path / "a", {"tags": tags})).tags() == {"a", "b"}


@pytest.mark.parametrize("tags", [5, True])
def test_tags_of_wrong_type_are_reported_with_file(tmp_path: Path, by_hand: Callable[..., Path], tags: object) -> None:
    entry = Entry("local", "dataset", "a", UID, by_hand(tmp_path / "a", {"tags": tags}))
    with pytest.raises(ConfigError, match=r"meta\.json.*tags"):
        entry.tags()


@pytest.mark.parametrize(
    ("text", "good"), [(UID, True), (UID.upper(), False), (UID + "0", False), ("", False), ("g" * 16, False)]
)
def test_uid_has_16_lower_case_hexadecimal_digits(text: str, good: bool) -> None:
    assert is_uid(text) is good

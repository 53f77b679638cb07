"""Unreadable entries are skipped with one warning, and the others work."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import ConfigError
from ck_repo.store.entry import Entry, read_json_object
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load, module_names

Add = Callable[..., Entry]
PLACES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "self": lambda path: path.symlink_to(path.name),
    "file outside": lambda path: path.symlink_to("/etc/passwd"),
    "folder": lambda path: path.mkdir(),
    "too large": lambda path: os.truncate(path, 1 << 40) if path.write_text("") == 0 else None,
}


@pytest.mark.parametrize("put", PLACES.values(), ids=list(PLACES))
@pytest.mark.parametrize("tags", ["", "x"])
def test_irregular_meta_file(add: Add, capsys: pytest.CaptureFixture[str], put: Callable[[Path], object], tags: str) -> None:
    add("good", "x")
    meta = add("bad", "x").path / ".cm" / "meta.json"
    meta.unlink()
    put(meta)
    repositories = Repositories()
    for _ in range(2):
        assert [row.alias for row in find(repositories, "dataset", tags=tags)] == ["good"]
    assert capsys.readouterr().err.count("warning") <= 1
    with pytest.raises(ConfigError):
        read_json_object(meta)


@pytest.mark.parametrize("put", PLACES.values(), ids=list(PLACES))
def test_info_replaces_irregular_alias_file(add: Add, put: Callable[[Path], object]) -> None:
    entry = add("mine", "x")
    for path in (entry.path.parent / ".cm").iterdir():
        path.unlink()
        put(path)
    assert [row.uid for row in find(Repositories(), "dataset")] == [entry.uid]
    assert load(Repositories(), "dataset", entry.uid).alias == "mine"


@pytest.mark.parametrize("put", PLACES.values(), ids=list(PLACES))
def test_entry_with_unreadable_alias_file_and_info(
    add: Add, capsys: pytest.CaptureFixture[str], put: Callable[[Path], object]
) -> None:
    entry = add("bad", "x")
    add("good", "x")
    for path in (entry.path / ".cm" / "info.json", entry.path.parent / ".cm" / "alias-a-bad"):
        path.unlink()
        put(path)
    assert [row.alias for row in find(Repositories(), "dataset", tags="x")] == ["good"]
    assert capsys.readouterr().err.count("warning") == 1


def test_link_loop_is_not_a_module(add: Add) -> None:
    entry = add("good", "x")
    (entry.path.parents[1] / "loop").symlink_to("loop")
    assert module_names(Repositories()).count("loop") == 0
    assert [row.alias for row in find(Repositories(), "dataset")] == ["good"]
    assert find(Repositories(), "loop") == []


def test_non_utf_8_name_is_skipped_and_reported(add: Add, capsys: pytest.CaptureFixture[str]) -> None:
    entry = add("good", "x")
    odd = Path(os.fsdecode(os.fsencode(entry.path.parent) + b"/\xff/.cm"))
    odd.mkdir(parents=True)
    (odd / "meta.json").write_text("{}")
    assert [row.alias for row in find(Repositories(), "dataset")] == ["good"]
    assert "\\xff is not a valid name for an entry" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why"),
    [('{"a": ' * 200 + "1" + "}" * 200, "deep"), ("[" * 100_000, "JSON"), (r'{"tags": ["\ud800"]}', "an unpaired surrogate")],
    ids=["deep", "deeper", "half a character"],
)
def test_unusable_content_is_rejected(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(ConfigError, match=why):
        read_json_object(tmp_path / "meta.json")


def test_surrogate_pairs_are_characters(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(r'{"name": "\ud83d\ude00"}')
    assert read_json_object(tmp_path / "meta.json") == {"name": "😀"}

"""Entries are found by name, UID, wildcard and tags, and a corrupt one does not hide the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.errors import CKError, ConfigError, ConflictError, NotFoundError
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load, suggest

Add = Callable[..., Entry]


def _names(*words: str, **options: Any) -> list[str]:
    return [f"{entry.repository}:{entry.alias}" for entry in find(Repositories(), "dataset", *words, **options)]


@pytest.fixture
def three(add: Add) -> None:
    """Three data sets in two repositories."""
    Repositories().add("other")
    add("coco-val", "coco,val,2017")
    add("coco-train", "coco,train,2017")
    add("coco-val", "coco,val,2014", repository="other")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", ["local:coco-train", "local:coco-val", "other:coco-val"]),
        ("coco-val", ["local:coco-val", "other:coco-val"]),
        ("*-train", ["local:coco-train"]),
        ("coco-va?", ["local:coco-val", "other:coco-val"]),
        ("coco", []),
        ("x*", []),
    ],
)
def test_names_and_wildcards(three: None, pattern: str, found: list[str]) -> None:
    assert _names(pattern) == found


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("2017", ["local:coco-train", "local:coco-val"]),
        ("coco,val", ["local:coco-val", "other:coco-val"]),
        ("coco,-2017", ["other:coco-val"]),
        ("-val", ["local:coco-train"]),
        ("coc", []),
        ("coco,nothing", []),
    ],
)
def test_required_and_excluded_tags(three: None, tags: str, found: list[str]) -> None:
    assert _names(tags=tags) == found


def test_name_tags_repository_and_text_combine(three: None) -> None:
    assert _names("*val", tags="coco", repository="o*") == ["other:coco-val"]
    assert _names("coco-val", tags="2017") == ["local:coco-val"]
    assert _names(text="trai") == ["local:coco-train"]
    assert _names(text="2014") == ["other:coco-val"]
    assert _names(text="%") == []


def test_uid_is_found_without_alias_file(add: Add, datasets: Path) -> None:
    entry = add("a")
    (datasets / ".cm" / f"alias-u-{entry.uid}").unlink()
    assert load(Repositories(), "dataset", entry.uid).alias == "a"


def test_entry_without_alias_is_named_by_uid(add: Add) -> None:
    entry = add("", "x")
    assert entry.alias == entry.uid
    assert _names(entry.uid) == _names(tags="x") == [f"local:{entry.uid}"]


def test_local_comes_first(three: None) -> None:
    assert load(Repositories(), "dataset", "coco-val").repository == "local"
    assert load(Repositories(), "dataset", "coco-val", "other").repository == "other"


def test_unknown_name_or_module_suggests_nearest(three: None) -> None:
    with pytest.raises(NotFoundError, match="no dataset:coco-vall in other\ndid you mean coco-val"):
        load(Repositories(), "dataset", "coco-vall", "other")
    assert suggest(Repositories(), "datset", "x") == "did you mean dataset?"


@pytest.mark.parametrize("name", ["../soft/x", "a/../../soft/x", "{}/soft/x"])
def test_name_does_not_escape_its_module(add: Add, name: str) -> None:
    add("a")
    entry = add("x", module="soft")
    try:
        found = find(Repositories(), "dataset", name.format(entry.path.parents[1]))
    except CKError:
        found = []
    assert found == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n  "tags": }', " is not JSON: Expecting value at line 2, column 11"),
        ('{"tags": 5}', ": tags is 5"),
        ('{"n": ' + "9" * 5000 + "}", " cannot be read as JSON"),
        ('{"n": ' + "[" * 100_000, " cannot be read as JSON"),
    ],
    ids=["cut", "tags", "long number", "deep"],
)
def test_corrupt_meta_is_reported_and_others_are_found(
    three: None, datasets: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    meta = datasets / "coco-val" / ".cm" / "meta.json"
    meta.write_text(text)
    assert _names(tags="coco") == ["local:coco-train", "other:coco-val"]
    assert f"warning: dataset skipped: {meta}{message}" in capsys.readouterr().err
    assert _names(tags="coco") == ["local:coco-train", "other:coco-val"]
    assert capsys.readouterr().err == ""
    with pytest.raises(ConfigError, match="coco-val"):
        load(Repositories(), "dataset", "coco-val").tags()


def test_entry_without_uid_is_reported_and_others_are_found(
    three: None, datasets: Path, by_hand: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand(datasets / "bare", {"tags": ["coco"]})
    assert "local:coco-train" in _names(tags="coco")
    assert "local:coco-train" in _names("*")
    assert capsys.readouterr().err.count(f"{datasets / 'bare'} has no UID") == 1


def test_two_entries_with_one_uid_are_both_named(add: Add, datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = add("a", "x")
    shutil.copytree(entry.path, datasets / "b")
    assert _names(tags="x") == ["local:a", "local:b"]
    assert f"a and b have the same UID {entry.uid}" in capsys.readouterr().err
    with pytest.raises(ConflictError, match=f"a and b have the same UID {entry.uid}"):
        load(Repositories(), "dataset", entry.uid)
    assert load(Repositories(), "dataset", "b").alias == "b"


def test_stock_folder_under_module_alias_is_found(by_hand: Callable[..., Path]) -> None:
    row = Repositories().add("stock")
    by_hand(row.path / "venv.template" / "mine", {"tags": ["x"]}, uid="1" * 16)
    (row.path / ".cm").mkdir()
    (row.path / ".cm" / "alias-a-venv.template").write_text("00437f87b26fd015\n")
    assert [entry.alias for entry in find(Repositories(), "env_templates", "mine")] == ["mine"]

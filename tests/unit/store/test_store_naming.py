"""The names of an entry, and the entry that a folder belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import NotFoundError
from ck_repo.store.entry import Entry
from ck_repo.store.folders import default_repository_root
from ck_repo.store.modules import module_uid
from ck_repo.store.naming import count_entries, entry_at, files_of, uid_names, unambiguous_names
from ck_repo.store.repositories import LOCAL, Repositories, default_repository_alias
from ck_repo.store.search import find, load

Add = Callable[..., Entry]


@pytest.fixture
def other(ck_home: Path) -> str:
    Repositories().add("other")
    return "other"


def test_ck_name_forms(add: Add) -> None:
    entry = add("coco", "val")
    names = uid_names(Repositories(), entry)
    assert (names["cuoa"], names["xcuoa"]) == ("dataset:coco", "local:dataset:coco")
    assert names["cid"] == f"{module_uid('dataset')}:{entry.uid}"
    assert names["xcid"] == f"{Repositories().get(LOCAL).uid}:{names['cid']}"


def test_entry_of_another_repository_is_named_with_it(add: Add, other: str) -> None:
    own, theirs = add("a"), add("b", repository=other)
    assert unambiguous_names(Repositories(), [own, theirs]) == ["dataset:a", "other:dataset:b"]


def test_ambiguous_name_finds_one_entry(add: Add, other: str) -> None:
    name, ours = "model-demo-ssd", default_repository_alias()
    entries = [
        add(name, module="package"),
        load(Repositories(), "package", name, ours),
        add(name, module="package", repository=other),
    ]
    assert load(Repositories(), "package", name, ours) == entries[1]
    names = unambiguous_names(Repositories(), entries)
    assert sorted(text.count(":") for text in names) == [1, 2, 2]
    assert names[2] == f"other:package:{name}"
    short = next(entry for entry, text in zip(entries, names, strict=True) if text.count(":") == 1)
    assert load(Repositories(), "package", name) == short


def test_every_name_finds_its_entry(add: Add, other: str) -> None:
    for repository in ("", other):
        for alias in ("a", "b"):
            add(alias, "x", repository=repository)
    found = find(Repositories(), "dataset", tags="x")
    assert len(found) == 4
    for name, entry in zip(unambiguous_names(Repositories(), found), found, strict=True):
        *its_repository, module, alias = name.split(":")
        assert load(Repositories(), module, alias, "".join(its_repository)) == entry


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_entry_of_folder(add: Add, below: str) -> None:
    entry = add("a")
    folder = entry.path / below
    folder.mkdir(parents=True, exist_ok=True)
    assert entry_at(Repositories(), folder) == entry


def test_entry_of_folder_by_module_alias() -> None:
    folder = default_repository_root() / "env_templates"
    template = next(path for path in folder.iterdir() if path.name[0] != ".")
    assert entry_at(Repositories(), template).cid == f"env_templates:{template.name}"


def test_folder_outside_entries(add: Add, tmp_path: Path) -> None:
    entry = add("a")
    for folder in (entry.path.parent, entry.path.parents[1], tmp_path):
        with pytest.raises(NotFoundError, match="is not inside an entry"):
            entry_at(Repositories(), folder)


def test_files_belong_to_their_entry(add: Add) -> None:
    entry = add("a")
    for name in ("b.txt", "sub/a.txt", ".git/config", "__pycache__/x.pyc"):
        (entry.path / name).parent.mkdir(exist_ok=True)
        (entry.path / name).write_text("x")
    assert files_of(entry) == ["b.txt", "sub/a.txt"]


def test_entries_are_counted_by_module(add: Add) -> None:
    add("a")
    add("b")
    add("c", module="soft")
    assert count_entries(Repositories().get(LOCAL)) == {"dataset": 2, "soft": 1}

"""Entries to search, written by the store or directly in CK's format, and repositories for git."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unit.upstreams import upstream as upstream

from ck_repo.store import index, writing
from ck_repo.store.entry import Entry
from ck_repo.store.folders import default_repository_root, repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import read_repository
from ck_repo.store.search import find

Add = Callable[..., Entry]


@pytest.fixture
def datasets(ck_home: Path) -> Path:
    """The folder of the module that most tests write to."""
    return repos_root() / "local" / "dataset"


@pytest.fixture
def add() -> Add:
    """Add an entry to the module `dataset` of `local`, or of another repository."""

    def run(alias: str, tags: str = "", *, repository: str = "", module: str = "dataset", uid: str = "", **meta: Any) -> Entry:
        repositories = Repositories()
        content = {"tags": tags.split(","), **meta} if tags else meta
        return writing.create_entry(repositories.writable(repository), module, alias, content, uid=uid)

    return run


@pytest.fixture
def by_hand() -> Callable[..., Path]:
    """Write an entry's files in CK's format, without the store."""

    def run(folder: Path, meta: object, *, uid: str = "", text: str = "") -> Path:
        (folder / ".cm").mkdir(parents=True, exist_ok=True)
        (folder / ".cm" / "meta.json").write_text(text or json.dumps(meta), encoding="utf-8")
        if uid:
            (folder.parent / ".cm").mkdir(exist_ok=True)
            (folder.parent / ".cm" / f"alias-a-{folder.name}").write_text(uid + "\n")
            (folder.parent / ".cm" / f"alias-u-{uid}").write_text(folder.name + "\n")
        return folder

    return run


@pytest.fixture
def tagged() -> Callable[[str], list[str]]:
    """Aliases of the data sets with these tags."""
    return lambda tags: [entry.alias for entry in find(Repositories(), "dataset", tags=tags)]


@pytest.fixture
def indexed(datasets: Path, tagged: Callable[[str], list[str]]) -> Callable[[], None]:
    """Index the data sets once their change times are old enough for the index to rely on them."""

    def run() -> None:
        paths = [datasets, *datasets.glob("*/.cm/meta.json")]
        newest = max(max(path.stat().st_ctime_ns, path.stat().st_mtime_ns) for path in paths)
        while time.time_ns() <= newest + index._TICK_NS:
            pass
        tagged("none")

    return run


@pytest.fixture
def no_checkout(ck_home: Path) -> None:
    """Copy our own components into CK_REPOS, like a pull by stock CK."""
    folder = repos_root() / "ours"
    folder.mkdir(parents=True)
    ours = read_repository(default_repository_root())
    (folder / ".ckr.json").write_text(json.dumps({"data_alias": ours.alias, "data_uid": ours.uid, "dict": {}}))

"""Removed entries can be restored for some time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ck_repo.errors import ConflictError
from ck_repo.store import bin as rubbish
from ck_repo.store.archive import pack_repository
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import Repository
from ck_repo.store.search import find
from ck_repo.store.work import working
from ck_repo.store.writing import create_entry


@pytest.fixture
def local() -> Repository:
    return Repositories().writable()


@pytest.fixture
def entry(local: Repository) -> Entry:
    return create_entry(local, "dataset", "birds", {"tags": ["wings"]}, files={"note.txt": "kept"})


def _names() -> list[str]:
    return [row.alias for row in find(Repositories(), "dataset")]


def test_removed_entry_is_restored_with_files_and_uid(local: Repository, entry: Entry) -> None:
    assert rubbish.discard(local, entry)
    assert (_names(), entry.path.exists()) == ([], False)
    (row,) = rubbish.removed(local, "dataset", "birds")
    back = rubbish.restore(row)
    assert (back.uid, back.path, (back.path / "note.txt").read_text()) == (entry.uid, entry.path, "kept")
    assert [each.alias for each in find(Repositories(), "dataset", entry.uid)] == ["birds"]
    assert rubbish.removed(local) == []


def test_entry_without_name_is_restored(local: Repository) -> None:
    entry = create_entry(local, "dataset", "", {})
    rubbish.discard(local, entry)
    assert rubbish.restore(rubbish.removed(local, pattern=entry.uid)[0]).path == entry.path
    assert [row.uid for row in find(Repositories(), "dataset", entry.uid)] == [entry.uid]


def test_name_taken_meanwhile_is_rejected(local: Repository, entry: Entry) -> None:
    rubbish.discard(local, entry)
    create_entry(local, "dataset", "birds", {})
    with pytest.raises(ConflictError, match="another dataset:birds"):
        rubbish.restore(rubbish.removed(local)[0])
    assert len(rubbish.removed(local)) == 1


def test_old_removals_expire(local: Repository, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    rubbish.discard(local, entry)
    assert rubbish.sweep_bin(local) == 0
    assert len(rubbish.removed(local)) == 1
    monkeypatch.setenv("CK_BIN_DAYS", "0.000000001")
    assert rubbish.sweep_bin(local) > 0
    assert rubbish.removed(local) == []


def test_oldest_removals_expire_first_when_bin_is_full(local: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        rubbish.discard(local, create_entry(local, "dataset", name, {}, files={"big": "x" * 50_000}))
    monkeypatch.setattr(rubbish, "MAX_BYTES", 110_000)
    rubbish.sweep_bin(local)
    assert [row.alias for row in rubbish.removed(local)] == ["three", "two"]


def test_zero_days_keep_nothing(local: Repository, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_BIN_DAYS", "0")
    assert not rubbish.discard(local, entry)
    assert not entry.path.exists()
    assert not (local.path / ".bin").exists()


def test_linked_bin_is_neither_used_nor_emptied(local: Repository, entry: Entry, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "documents"
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    (local.path / ".bin").symlink_to(folder.parent)
    assert not rubbish.discard(local, entry)
    assert rubbish.removed(local) == []
    assert rubbish.sweep_bin(local, everything=True) == 0
    assert os.listdir(folder.parent) == ["documents"]


def test_other_files_in_bin_are_kept(local: Repository, entry: Entry) -> None:
    rubbish.discard(local, entry)
    other = local.path / ".bin" / "tools"
    other.mkdir()
    os.utime(other, (0, 0))
    rubbish.sweep_bin(local, everything=True)
    assert sorted(os.listdir(other.parent)) == [".gitignore", "tools"]


@pytest.mark.parametrize(
    ("key", "value"), [("alias", "../../../stray"), ("module", ".."), ("uid", "../../stray"), ("alias", "")]
)
def test_record_with_unsafe_name_is_ignored(local: Repository, entry: Entry, key: str, value: str) -> None:
    rubbish.discard(local, entry)
    record = rubbish.removed(local)[0].folder / "removed.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {key: value}))
    assert rubbish.removed(local) == []


def test_bin_is_not_packed(local: Repository, entry: Entry, tmp_path: Path) -> None:
    import zipfile

    rubbish.discard(local, entry)
    pack_repository(local, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as file:
        assert not [name for name in file.namelist() if ".bin" in name]


@pytest.mark.parametrize("names", [{"alias": "../../out"}, {"module": "../dataset"}, {"uid": "/etc"}, {"alias": ".hidden"}])
def test_record_outside_its_repository_is_ignored(local: Repository, entry: Entry, names: dict[str, str]) -> None:
    rubbish.discard(local, entry)
    (row,) = rubbish.removed(local)
    record = row.folder / "removed.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **names}))
    assert rubbish.removed(local) == []


def test_link_in_bin_is_not_an_entry(local: Repository, entry: Entry, tmp_path: Path) -> None:
    rubbish.discard(local, entry)
    (row,) = rubbish.removed(local)
    (row.folder / "entry").rename(tmp_path / "elsewhere")
    (row.folder / "entry").symlink_to(tmp_path / "elsewhere")
    assert rubbish.removed(local) == []
    rubbish.sweep_bin(local, everything=True)
    assert (tmp_path / "elsewhere" / ".cm" / "meta.json").exists()


def test_ongoing_removal_is_not_swept(local: Repository) -> None:
    with working() as work:
        folder = local.path / ".bin" / f"1.{work.key}"
        folder.mkdir(parents=True)
        rubbish.sweep_bin(local, everything=True)
        assert folder.exists()
    rubbish.sweep_bin(local)
    assert not folder.exists()

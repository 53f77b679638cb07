"""Files and folders appear atomically, and a full or read-only disk is reported as such."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import StorageError
from ck_repo.store import writing
from ck_repo.store.atomic import publish_folder, storage_errors, write_json, write_text
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load


def leftovers(folder: Path) -> list[Path]:
    """Unfinished files and folders."""
    return [path for path in folder.rglob("*") if path.name.endswith((".new", ".removed"))]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on the disk accepts no more bytes."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(os, "fsync", full)


def test_failed_write_keeps_old_content(tmp_path: Path, full_disk: Callable[[], None]) -> None:
    write_text(tmp_path / "folder" / "a.txt", "old")
    full_disk()
    with pytest.raises(StorageError, match="the disk is full"):
        write_text(tmp_path / "folder" / "a.txt", "new")
    assert os.listdir(tmp_path / "folder") == ["a.txt"]
    assert (tmp_path / "folder" / "a.txt").read_text() == "old"


def test_invalid_json_keeps_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "ä"})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "a": "ä",\n  "b": 1\n}\n'
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full\nfree some space"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "no permission to write /x\nset CK_REPOS"),
        (errno.EACCES, "no permission to write /x"),
    ],
)
def test_disk_errors_say_what_to_do(number: int, words: str) -> None:
    with pytest.raises(StorageError) as caught, storage_errors("writing x"):
        raise OSError(number, os.strerror(number), "/x")
    assert str(caught.value).startswith(f"writing x: {words}")
    assert caught.value.code == 8


def test_first_of_two_publishing_a_folder_wins(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
        publish_folder(tmp_path / name, tmp_path / "final")
    assert os.listdir(tmp_path) == ["final"]
    assert (tmp_path / "final" / "who").read_text() == "first"


@pytest.mark.parametrize("how", ["added", "copied"])
def test_failed_entry_write_leaves_nothing(
    add: Callable[..., Entry], datasets: Path, full_disk: Callable[[], None], how: str
) -> None:
    entry = add("old")
    local = Repositories().writable()
    full_disk()
    with pytest.raises(StorageError):
        add("new") if how == "added" else writing.copy_entry(entry, local, "dataset", "new")
    assert sorted(path.name for path in datasets.iterdir()) == [".cm", "old"]
    assert load(Repositories(), "dataset", "old").uid == entry.uid


def test_failed_rename_keeps_name(add: Callable[..., Entry], datasets: Path, full_disk: Callable[[], None]) -> None:
    entry = add("old", "precious")
    local = Repositories().writable()
    full_disk()
    with pytest.raises(StorageError):
        writing.move_entry(entry, local, "dataset", "new")
    assert leftovers(datasets) == []
    assert load(Repositories(), "dataset", "old").tags() == {"precious"}


def _on_own_disk(folder: Path, options: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a ck command with its own tiny file system mounted on `folder`; list leftovers afterwards."""
    script = f'mount -t tmpfs -o {options} tmpfs "$0" || exit 99; "$@"; code=$?; find "$0" -name "*.new"; exit $code'
    command = ["unshare", "-rm", "sh", "-c", script, str(folder), sys.executable, "-m", "ck_repo", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    return done


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
@pytest.mark.parametrize(("options", "words"), [("size=256k", "the disk is full"), ("size=256k,ro", "no permission to write")])
def test_full_disk(ck_home: Path, options: str, words: str) -> None:
    (ck_home / "CK").mkdir()
    (ck_home / "big.json").write_text('{"dict": {"text": "' + "x" * 500_000 + '"}}')
    done = _on_own_disk(ck_home / "CK", options, "add", "dataset:a", f"@{ck_home / 'big.json'}")
    assert done.returncode == 8
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""

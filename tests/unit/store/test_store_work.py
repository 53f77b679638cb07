"""A process killed at any point of a change leaves the old or the new state, and the next command cleans up."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import StorageError
from ck_repo.store import exchange, steps, writing
from ck_repo.store.archive import pack_entries, unpack_entries
from ck_repo.store.entry import Entry, write_entry
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load
from ck_repo.store.work import sweep, working, writing_file

Add = Callable[..., Entry]

_STEP = 1 if os.environ.get("CK_FAULTS") else 3  # `nox -s faults` tries every point
_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "open", "ctypes.dlopen", "shutil.rmtree"}


def _change(kind: str, archive: Path) -> None:
    """The operation of the killed process."""
    repositories = Repositories()
    local = repositories.writable()
    if kind == "replace":
        writing.create_entry(local, "dataset", "a", {"tags": ["new"]}, uid="b" * 16, replace=True)
    elif kind == "unzip":
        unpack_entries(archive, repositories, local, overwrite=True)
    else:
        entry = load(repositories, "dataset", "a")
        if kind == "rename":
            writing.move_entry(entry, local, "dataset", "z")
        elif kind == "remove":
            writing.remove_entry(entry)
        else:
            writing.update_entry(entry, {"tags": ["new"]})


def _killed_at(point: int, change: Callable[[], None], number: int = signal.SIGKILL) -> int:
    """Run a change in a process that gets a signal at its n-th file system call; its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen = 0

    def count(event: str, _: object) -> None:
        nonlocal seen
        seen += event in _EVENTS
        if seen == point and event in _EVENTS:
            os.kill(os.getpid(), number)

    status = 1
    try:
        sys.addaudithook(count)
        change()
        status = 0
    except KeyboardInterrupt:
        status = 130
    finally:
        os._exit(status)


def _states(home: Path) -> dict[str, tuple[str, str]]:
    """Names, UIDs and tags of the data sets as later commands see them; leftovers and wrong alias files are failures."""
    found = {entry.alias: (entry.uid, ",".join(sorted(entry.tags()))) for entry in find(Repositories(), "dataset")}
    for alias, (uid, _) in found.items():
        assert load(Repositories(), "dataset", uid).alias == alias
    assert len({uid for uid, _ in found.values()}) == len(found)
    visible = sorted(path.name for path in home.iterdir() if path.name != ".cm")
    assert visible == sorted(found)
    aliases = {path.name: path.read_text().strip() for path in (home / ".cm").iterdir() if not path.name.startswith(".")}
    assert aliases == {f"alias-a-{alias}": uid for alias, (uid, _) in found.items()} | {
        f"alias-u-{uid}": alias for alias, (uid, _) in found.items()
    }
    assert [path.name for path in (repos_root() / ".pending").iterdir()] == ["commit.lock"]
    assert not list(repos_root().glob(".unzip*"))
    return found


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        *(
            (kind, how)
            for kind in ("replace", "rename", "remove")
            for how in ("killed", "killed, by three renames", "interrupted")
        ),
        ("update", "killed"),
        ("unzip", "killed"),
    ],
)
def test_signal_at_any_point_leaves_old_or_new(
    add: Add, datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, how: str
) -> None:
    monkeypatch.setattr(os, "fsync", lambda file: None)  # a killed process loses nothing that it has written
    if how == "killed, by three renames":
        monkeypatch.setattr(exchange, "_exchange_at_once", lambda one, other: False)
    archive = tmp_path / "archive.zip"
    pack_entries([add("a", "new", uid="b" * 16)], archive)
    old = {"a": ("a" * 16, "old")}
    new = {"rename": {"z": ("a" * 16, "old")}, "remove": {}, "update": {"a": ("a" * 16, "new")}}.get(
        kind, {"a": ("b" * 16, "new")}
    )
    outcomes: list[object] = []
    status, point = -1, 1
    while status:
        for entry in find(Repositories(), "dataset"):
            writing.remove_entry(entry)
        add("a", "old", uid="a" * 16)
        number = signal.SIGINT if how == "interrupted" else signal.SIGKILL
        status = _killed_at(point, lambda: _change(kind, archive), number)
        assert status in (0, 130, -signal.SIGKILL)
        outcomes.append(_states(datasets))
        assert outcomes[-1] in (old, new), f"point {point}"
        point += _STEP
    assert outcomes[0] == old
    assert outcomes[-1] == new
    if how != "interrupted":
        assert outcomes == sorted(outcomes, key=lambda state: state == new)  # once new, it stays new


def test_leftovers_of_living_process_are_kept(datasets: Path) -> None:
    with working() as work:
        path = work.beside(datasets / "a")
        path.mkdir(parents=True)
        sweep()
        assert path.is_dir()
    assert not path.exists()


@pytest.mark.parametrize("complete", [False, True])
def test_killed_replacement_restores_old_entry_unless_complete(add: Add, datasets: Path, complete: bool) -> None:
    entry = add("a", "old")

    def replace() -> None:
        with working() as work:
            work.in_place(entry.path)
            entry.path.mkdir()
            if complete:
                write_entry(entry.path, entry.uid, {"tags": ["new"]}, module="dataset", module_uid="1" * 16)
            os.kill(os.getpid(), signal.SIGKILL)

    assert _killed_at(-1, replace) == -signal.SIGKILL
    assert _states(datasets) == {"a": (entry.uid, "new" if complete else "old")}


def test_full_disk_during_rename_is_rolled_back(add: Add, datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = add("a", "old", uid="a" * 16)

    def full(folder: Path, uid: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    with monkeypatch.context() as patch:
        patch.setattr(steps, "link_alias", full)
        with pytest.raises(StorageError, match="the disk is full"):
            writing.move_entry(entry, Repositories().writable(), "dataset", "z")
    assert _states(datasets) == {"a": ("a" * 16, "old")}


def test_leftovers_of_killed_writer_are_removed(ck_home: Path) -> None:
    output, other = ck_home / "out.zip", ck_home / ".mine.new"
    other.write_text("a file of the user's")
    code = (
        "import os, pathlib, signal, sys; from ck_repo.store.work import writing_file\n"
        "with writing_file(pathlib.Path(sys.argv[1]), overwrite=False) as beside:\n"
        "    beside.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(output)]).returncode == -signal.SIGKILL
    left = ck_home / ".out.zip.new"
    assert left.exists()
    sweep()
    assert not left.exists()
    assert other.exists()


def test_file_being_written_is_kept(ck_home: Path) -> None:
    with writing_file(ck_home / "out.zip", overwrite=False) as beside:
        beside.write_text("half")
        sweep()
        assert beside.exists()
    assert (ck_home / "out.zip").read_text() == "half"


def test_file_is_written_without_writable_ck_repos(ck_home: Path) -> None:
    repos_root().parent.mkdir(parents=True, exist_ok=True)
    repos_root().write_text("no folder")
    with writing_file(ck_home / "out.zip", overwrite=False) as beside:
        beside.write_text("whole")
    assert (ck_home / "out.zip").read_text() == "whole"

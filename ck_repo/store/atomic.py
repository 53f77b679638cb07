"""Atomic files: written under a temporary name, flushed to disk, and renamed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ck_repo.errors import DiskFullError, StorageError
from ck_repo.store.plain_file import A_FOLDER, MISSING, flaw, shown

FULL = (errno.ENOSPC, errno.EDQUOT)
_FREE = "free some space (`ck clean env` removes what no environment uses) or point CK_TOOLS elsewhere"
SPARE = 64 << 20  # bytes of free disk space that downloads and archives keep
_NOTHING = 64 << 10  # bytes; a disk with less free space is treated as full


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn operating system errors about a disk into errors with a hint."""
    try:
        yield
    except OSError as error:
        explained = storage_error(error, doing)
        if explained is None:
            raise
        raise explained from error


def storage_error(error: OSError, doing: str = "") -> StorageError | None:
    """The error to show for an OSError; None if it is not about a disk.

    Parameters
    ----------
    doing
        The current operation; the file's name if empty.
    """
    where = doing or str(error.filename or "writing")
    if error.errno in FULL:
        return DiskFullError(f"{where}: the disk is full", hint=_FREE)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StorageError(
            f"{where}: no permission to write {error.filename or ''}".rstrip(),
            hint="set CK_REPOS and CK_TOOLS to writable folders",
        )
    if doing and error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
        return StorageError(
            f"{where}: {error.strerror}: {error.filename or ''}".rstrip(": "),
            hint="CK_REPOS and CK_TOOLS have to be folders, or paths where folders can be created",
        )
    return None


def refuse_full(folder: Path, doing: str) -> None:
    """Raise if a disk is full, because the program that failed to write there may not report it.

    Parameters
    ----------
    folder
        A folder on the disk; if it does not exist, the nearest parent that does counts.
    doing
        What failed, for the message.

    Raises
    ------
    DiskFullError
        If there is no free space, or no free inode.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with suppress(OSError):
        found = os.statvfs(folder)
        if found.f_bavail * found.f_frsize >= _NOTHING and (found.f_favail or not found.f_files):
            return
        raise DiskFullError(f"{doing}: the disk is full: {folder}", hint=_FREE)


def usable(folder: Path) -> int:
    """How many bytes a download or archive may write to the disk of `folder`: its free space minus `SPARE`."""
    return max(shutil.disk_usage(folder).free - SPARE, 0)


def too_large(doing: str, needed: str) -> StorageError:
    """The error for a file that exceeds `usable`."""
    return StorageError(f"{doing}: {needed}, and {SPARE >> 20} MiB of the disk are kept free", hint=_FREE)


def make_folder(path: Path, variable: str) -> None:
    """Create a folder that an environment variable names, if it does not exist.

    Raises
    ------
    StorageError
        If it cannot be created. In ``/proc`` the system's error is "No such file or directory".
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        known = storage_error(error, f"creating the folder {path}")
        hint = f"set {variable} to a folder that can be created"
        raise known or StorageError(f"the folder {path} cannot be created: {error.strerror}", hint=hint) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old content or the new content.

    Raises
    ------
    StorageError
        If the file cannot be written; the old content is kept.
    """
    with storage_errors(f"writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _beside(path) as (name, file):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(name, path)


def remove_file(path: Path) -> None:
    """Remove a file and the unfinished file of a killed writer, if they exist; no other process may be writing it."""
    path.unlink(missing_ok=True)
    _unfinished(path).unlink(missing_ok=True)


def remove_all_unfinished(folder: Path) -> None:
    """Remove the unfinished files of killed writers in `folder`, which has to be one of ours."""
    for path in folder.glob(".*.new"):
        remove_unfinished(path.with_name(path.name[1:].removesuffix(".new")))


def remove_unfinished(path: Path) -> None:
    """Remove the unfinished file of a killed writer, but not that of a running one."""
    name = _unfinished(path)
    with suppress(OSError), os.fdopen(os.open(name, os.O_RDWR | os.O_NOFOLLOW), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is(file.fileno(), name):
            name.unlink()


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


@contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """An empty file next to `path`, locked by its writer, so that the next writer can replace that of a killed one."""
    name = _unfinished(path)
    while True:
        file = os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")
        with file:
            with suppress(OSError):  # the file system has no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is(file.fileno(), name):  # the writer that held the lock renamed it
                continue
            try:
                file.truncate(0)
                yield name, file
            except BaseException:
                name.unlink(missing_ok=True)
                raise
            return


def _is(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary name next to `path` for a file that is renamed to `path` at the end.

    Raises
    ------
    FileExistsError
        If `path` exists at the end and must not be overwritten.
    """
    with _beside(path) as (name, _):
        yield name
        if overwrite:
            os.replace(name, path)
            return
        try:
            os.link(name, path)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            if path.exists():  # the file system has no hard links
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            os.replace(name, path)
            return
        name.unlink()


def copy_folder(source: Path, target: Path, *, links_out: bool = False) -> list[str]:
    """Copy the files, folders and links of `source` into `target`.

    Parameters
    ----------
    links_out
        Whether to copy links to targets outside `source`.

    Returns
    -------
    list
        Skipped names with the reason: links out of the folder, loops of links, pipes, devices and sockets.
    """
    left = []
    waiting = [(source, target)]
    while waiting:
        here, there = waiting.pop()
        there.mkdir(exist_ok=True)
        with os.scandir(here) as rows:
            for row in rows:
                to = there / row.name
                name = os.path.relpath(row.path, source)
                if row.is_symlink():
                    why = "" if links_out else flaw(source, name)
                    if why in ("", A_FOLDER, MISSING):  # keep a broken link as it is
                        to.symlink_to(os.readlink(row.path))
                    else:
                        left.append(f"{shown(name)} ({why})")
                elif row.is_dir():
                    waiting.append((Path(row.path), to))
                elif row.is_file():
                    shutil.copy2(row.path, to)
                else:
                    left.append(f"{shown(name)} ({flaw(source, name)})")
    return sorted(left)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON as CK does: two spaces, sorted keys.

    Raises
    ------
    StorageError
        As for `write_bytes`.
    """
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def publish_folder(staging: Path, final: Path) -> bool:
    """Rename a finished folder to its final name; return False, and remove it, if another process created that name first.

    Returns
    -------
    bool
        Whether `final` is this folder.
    """
    with storage_errors(f"writing {final}"):
        try:
            os.rename(staging, final)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(staging, ignore_errors=True)
            return False
    return True

"""Files that appear whole or not at all: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ck_repo.errors import StorageError


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn what the operating system says of a disk into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC or error.errno == errno.EDQUOT:
            raise StorageError(
                f"{doing}: the disk is full",
                hint="free some space (`ck clean env` removes what no environment uses) or point CK_TOOLS elsewhere",
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StorageError(
                f"{doing}: no permission to write {error.filename or ''}".rstrip(),
                hint="point CK_REPOS and CK_TOOLS at folders that you can write",
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
            raise StorageError(
                f"{doing}: {error.strerror}: {error.filename or ''}".rstrip(": "),
                hint="CK_REPOS and CK_TOOLS have to be folders, or names where folders can be made",
            ) from error
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    with storage_errors(f"writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            with open(beside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON as CK does: two spaces, sorted keys."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def publish_folder(staging: Path, final: Path) -> bool:
    """Give a finished folder its name; False if another process was first, whose folder stays while ours goes."""
    with storage_errors(f"writing {final}"):
        try:
            os.rename(staging, final)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(staging, ignore_errors=True)
            return False
    return True


def remove_folder(path: Path) -> None:
    """Remove a folder: it vanishes at once under its name, then its content goes."""
    with storage_errors(f"removing {path}"):
        doomed = path.with_name(f".{path.name}.{os.getpid()}.removed")
        os.rename(path, doomed)
        shutil.rmtree(doomed)

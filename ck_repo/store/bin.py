"""Removed entries, which are kept in the folder ``.bin`` of their repository for some time, so that they can be restored."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ck_repo.errors import CKError, ConflictError, UsageError
from ck_repo.store.atomic import storage_errors, usable, write_json, write_text
from ck_repo.store.entry import META, Entry, read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.repository import Repository, check_name
from ck_repo.store.steps import Link, Rename, Unlink
from ck_repo.store.work import committing, is_alive, remove_folder, working
from ck_repo.store.writing import module_folder, refuse_gone, refuse_taken_uid, remove_entry

FOLDER = ".bin"
MAX_BYTES = 20 * 10**9  # bytes of a repository's bin; the oldest entry is removed first
_DAYS = 14
_RECORD, _CONTENT = "removed.json", "entry"
_NAME = re.compile(r"\d+\.[0-9a-f]{8}")  # name of a folder in the bin: the time in ns, and the key of the work


@dataclass(frozen=True)
class Removed:
    """An entry in the bin.

    Attributes
    ----------
    folder
        The folder in the bin; the entry is the folder `entry` in it.
    when
        When it was removed, in s since 1970.
    size
        Bytes.
    """

    repository: Repository
    folder: Path
    module: str
    alias: str
    uid: str
    when: float
    size: int

    @property
    def cid(self) -> str:
        """``module:alias``."""
        return f"{self.module}:{self.alias}"

    @property
    def date(self) -> str:
        """When it was removed, as readable text."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.when))


def days() -> float:
    """How long removed entries are kept (CK_BIN_DAYS); with 0 they are deleted at once."""
    text = os.environ.get("CK_BIN_DAYS") or str(_DAYS)
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e6:
        raise UsageError(f"CK_BIN_DAYS={text} is not a number of days", hint="0 keeps nothing")
    return found


def discard(repository: Repository, entry: Entry) -> bool:
    """Remove an entry.

    Returns
    -------
    bool
        Whether it can be restored. It cannot if removed entries are not kept, if it is larger than the free space, or if the
        bin is
        on another disk.

    Raises
    ------
    CKError
        If it is gone, or cannot be removed.
    """
    size = _size(entry.path)
    if not _may_keep(repository, entry, size):
        remove_entry(entry)
        return False
    home = repository.path / FOLDER
    with storage_errors(f"removing {entry.path}"), working(freeing=True) as work:
        folder = home / f"{time.time_ns()}.{work.key}"
        folder.mkdir(parents=True)
        if not (home / ".gitignore").exists():  # git and `ck push` ignore the bin
            write_text(home / ".gitignore", "*\n")
        names = {"module": entry.module, "alias": entry.alias, "uid": entry.uid}
        write_json(folder / _RECORD, {**names, "when": time.time(), "size": size})
        try:
            with committing():
                refuse_gone(entry)
                moved = Rename.of(entry.path, folder / _CONTENT, entry.uid)
                work.commit([moved, Unlink(str(entry.path.parent), entry.alias, entry.uid)])
        except BaseException:
            if not (folder / _CONTENT).exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise
    sweep_bin(repository)
    return (folder / _CONTENT).is_dir()


def _may_keep(repository: Repository, entry: Entry, size: int) -> bool:
    try:
        same_disk = repository.path.stat().st_dev == entry.path.parent.stat().st_dev
        same_disk = same_disk and not (repository.path / FOLDER).is_symlink()
        return same_disk and days() > 0 and size < usable(repository.path) and os.access(repository.path, os.W_OK)
    except OSError:
        return False


def removed(repository: Repository, module: str = "", pattern: str = "") -> list[Removed]:
    """The removed entries of a repository, the latest first.

    Parameters
    ----------
    module, pattern
        Only entries of this module, or with this alias, UID or pattern; all if empty.
    """
    found = []
    for folder in _kept(repository):
        row = _record(repository, folder)
        if row and not (folder / _CONTENT).is_symlink() and (folder / _CONTENT / META).is_file():
            found.append(row)
    return [
        row for row in found if module in ("", row.module) and (fnmatchcase(row.alias, pattern or "*") or pattern == row.uid)
    ]


def _kept(repository: Repository) -> list[Path]:
    """The folders of removed entries, the most recent first; other files in the bin, and a bin that is a link, are ignored."""
    home = repository.path / FOLDER
    if home.is_symlink() or not home.is_dir():
        return []
    folders = (path for path in home.iterdir() if _NAME.fullmatch(path.name))
    return sorted((path for path in folders if path.is_dir() and not path.is_symlink()), reverse=True)


def _read(repository: Repository, folder: Path) -> Removed:
    """Read a record, which may belong to an untrusted repository: its names must be plain folder names."""
    row = Fields(read_json_object(folder / _RECORD), folder / _RECORD)
    module, alias, uid = row.needed("module"), row.needed("alias"), row.needed("uid")
    for name in (module, alias, uid):
        check_name(name)
    return Removed(repository, folder, module, alias, uid, row.number("when") or 0.0, row.integer("size", 0) or 0)


def restore(row: Removed) -> Entry:
    """Restore a removed entry.

    Raises
    ------
    ConflictError
        If another entry has its name or UID.
    """
    home = module_folder(row.repository, row.module)
    folder = home / row.alias
    hint = f"rename that entry first: `ck ren {row.cid} {row.module}:NEW`"
    with storage_errors(f"writing {folder}"), working() as work, committing():
        if folder.exists():
            raise ConflictError(f"another {row.cid} is in {row.repository.alias} now", hint=hint)
        refuse_taken_uid(folder, row.uid, hint=hint)
        uid = "" if row.alias == row.uid else row.uid
        work.commit([Rename.of(row.folder / _CONTENT, folder), *([Link(str(home), row.alias, uid)] if uid else [])])
    shutil.rmtree(row.folder, ignore_errors=True)
    module_uid = row.repository.module_uid(row.module)
    return Entry(row.repository.alias, home.name, row.alias, row.uid, folder, row.repository.uid, module_uid)


def sweep_bin(repository: Repository, *, everything: bool = False) -> int:
    """Delete entries of the bin that are too old or exceed its size, or all with `everything`; return the freed bytes."""
    oldest, total, freed = time.time() - 86400 * days(), 0, 0
    for folder in _kept(repository):
        row = _record(repository, folder)
        size = row.size if row else 0
        total += size
        if everything or row is None or not (folder / _CONTENT).is_dir() or row.when < oldest or total > MAX_BYTES:
            with suppress(FileNotFoundError):  # another process removed it
                if not is_alive(folder.name.rpartition(".")[2]):  # else that process is about to move an entry into it
                    remove_folder(folder)
                    freed += size
    return freed


def _record(repository: Repository, folder: Path) -> Removed | None:
    """The record of a removed entry; None if it is missing or damaged."""
    try:
        return _read(repository, folder)
    except CKError:
        return None


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    for base, _, names in os.walk(folder):
        yield from (Path(base, name) for name in names)

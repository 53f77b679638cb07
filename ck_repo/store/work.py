"""Crash-safe changes: unfinished work is recorded, and the next process completes or removes it.

Each change has a record in ``CK_REPOS/.pending``, which its process locks. The operating system releases the lock however the
process ends, so a record that can be locked belongs to a process that has ended. `sweep` carries out the committed steps of
such a record, and removes its temporary folders.

Changes to entries are committed under one lock for all processes. The steps are recorded first: a crash before that leaves the
old state, and after it the next process completes the new state.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo.contract.record import optional, read, write
from ck_repo.errors import StorageError
from ck_repo.store.atomic import FULL, new_file, remove_all_unfinished, remove_unfinished, storage_errors
from ck_repo.store.folders import repos_root
from ck_repo.store.steps import Step, UndoError, as_data, carry_out, from_data, put_back

_RECORD = ".work"
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)  # the file system has no locks: nothing is swept


@dataclass(frozen=True)
class _Line:
    """A line of a record.

    Attributes
    ----------
    remove
        A file or folder to remove at the end.
    writes
        A file that is being written.
    aside, folder
        Where an entry is moved to, and its original place.
    steps
        Committed steps.
    done
        Whether they are done.
    """

    remove: str = optional("")
    writes: str = optional("")
    aside: str = optional("")
    folder: str = optional("")
    steps: tuple[Mapping[str, Any], ...] = optional(())
    done: bool = optional(False)


class Work:
    """Unfinished work of a process.

    Attributes
    ----------
    key
        Eight unique hexadecimal digits.
    """

    def __init__(self, path: Path, file: int, *, freeing: bool = False) -> None:
        self._path, self._file, self._freeing = path, file, freeing
        self._halfway = False
        self._unrecorded: list[_Line] = []  # lines that could not be written because the disk is full
        self.key = path.name.removesuffix(_RECORD)

    def beside(self, final: Path, kind: str = "new") -> Path:
        """A name next to `final` for a file or folder that is removed at the end of the work if it still exists."""
        return self.temporary(final.parent, f".{final.name}", f".{kind}")

    def temporary(self, parent: Path, before: str, behind: str = "") -> Path:
        """A name in `parent` for a file or folder that is removed at the end of the work if it still exists."""
        path = parent / f"{before}.{self.key}{behind}"
        self._note(_Line(remove=str(path)))
        return path

    def writes(self, *files: Path) -> None:
        """Record files that are about to be written, so that unfinished ones are removed if the process is killed."""
        for file in files:
            self._note(_Line(writes=str(file)))

    def in_place(self, folder: Path) -> Path:
        """Move the entry in `folder` aside to create another in its place; return its new path.

        The old entry is restored unless the new one has a meta.json when the work ends.
        """
        aside = folder.with_name(f".{folder.name}.{self.key}.old")
        self._note(_Line(aside=str(aside), folder=str(folder)))
        if folder.exists():
            os.rename(folder, aside)
        return aside

    def commit(self, steps: Sequence[Step]) -> None:
        """Carry out steps: all of them, or none if one fails. The caller holds `committing`."""
        self._note(_Line(steps=tuple(as_data(steps))))
        try:
            os.fsync(self._file)
        except OSError:
            if not self._freeing:
                raise
        self._halfway = True
        try:
            carry_out(steps)
        except UndoError as error:  # the next process completes it
            raise error.reason from None
        except BaseException:
            self._done()
            raise
        self._done()

    def finish_steps(self) -> None:
        """Complete the committed steps of a process that has ended."""
        rows = self.rows()
        if not any(row.done for row in rows):
            for row in rows:
                for step in from_data(row.steps):
                    step.do()
            self._done()

    def remove_unfinished_files(self) -> None:
        """Remove the unfinished files of a process that has ended: those recorded, and those of its entries."""
        entries = set()
        for row in self.rows():
            if row.writes:
                remove_unfinished(Path(row.writes))
            entries |= {Path(path).parent for path in (row.remove, row.folder) if path}
            for step in row.steps:
                entries |= {Path(step[key]) for key in ("home", "folder") if key in step}
                entries |= {Path(step[key]).parent for key in ("source", "target") if key in step}
        for folder in {place / ".cm" for entry in entries for place in (entry, entry.parent)}:
            remove_all_unfinished(folder)

    def _done(self) -> None:
        self._halfway = False
        with suppress(OSError):  # on a full disk the steps are done again, which has no further effect
            self._note(_Line(done=True))

    def rows(self) -> list[_Line]:
        """Read the record; an incomplete line is ignored."""
        lines = os.pread(self._file, os.fstat(self._file).st_size, 0).split(b"\n")[:-1]
        found = []
        for line in lines:
            with suppress(ValueError):
                found.append(read(_Line, json.loads(line)))
        return found + self._unrecorded

    def end(self) -> None:
        """Remove temporary files and the record; what cannot be removed yet stays recorded for the next process."""
        if self._halfway:
            self.release()
            return
        rows = self.rows()
        for row in reversed(rows):
            if row.remove:
                _remove(Path(row.remove))
            if row.aside:
                put_back(Path(row.aside), Path(row.folder))
        if not any(os.path.lexists(path) for row in rows for path in (row.remove, row.aside) if path):
            self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Release the lock, and leave the record to another process."""
        os.close(self._file)

    def _note(self, row: _Line) -> None:
        line = json.dumps(write(row)).encode() + b"\n"
        found = os.fstat(self._file)
        try:
            if not stat.S_ISREG(found.st_mode) or os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        except OSError as error:
            if not (self._freeing and error.errno in FULL):
                raise
            with suppress(OSError):  # /dev/null has no length
                os.ftruncate(self._file, found.st_size)
            self._unrecorded.append(row)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def working(*, freeing: bool = False) -> Iterator[Work]:
    """Start a change; unfinished files are removed at the end.

    Parameters
    ----------
    freeing
        Whether the change only removes something. It then continues without a record on a full disk; if its process is killed,
        a hidden folder may remain.
    """
    folder = _pending()
    with storage_errors(f"writing to {folder}"):
        work = _begin(folder, freeing)
    try:
        yield work
    finally:
        work.end()


def _begin(folder: Path, freeing: bool) -> Work:
    while True:
        path = folder / f"{os.urandom(4).hex()}{_RECORD}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            if not (freeing and error.errno in FULL):
                raise
            return Work(path, os.open(os.devnull, os.O_RDWR), freeing=True)
        _lock(file)
        if os.fstat(file).st_nlink:  # another process took the record for abandoned
            return Work(path, file, freeing=freeing)
        os.close(file)


@contextmanager
def committing() -> Iterator[None]:
    """Hold the lock of all changes, usually for a few renames; an interrupted change of another process is completed first."""
    folder = _pending()
    with storage_errors(f"writing to {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / "commit.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(file)
        for work in _abandoned(folder):
            try:
                work.finish_steps()
            finally:
                work.release()
        yield
    finally:
        os.close(file)


def sweep(about: Path | None = None) -> None:
    """Complete or remove the unfinished work of killed processes.

    Parameters
    ----------
    about
        A folder that the caller is about to create in place: wait for a process that is sweeping it.
    """
    folder = _pending()
    with suppress(OSError):  # nothing to sweep where nothing can be written
        if any(name.endswith(_RECORD) for name in os.listdir(folder)):
            _sweep(folder)
            if about is not None:
                _wait(folder, about)


def _sweep(folder: Path) -> None:
    file = os.open(folder / "commit.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(file)
        left = _abandoned(folder)
        for work in left:
            work.finish_steps()
    finally:
        os.close(file)
    for work in left:
        work.remove_unfinished_files()
        work.end()


def _abandoned(folder: Path) -> list[Work]:
    """The records of processes that have ended, locked for us."""
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(_RECORD):
            with suppress(OSError):
                file = os.open(folder / name, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
                if _try_lock(file) and os.fstat(file).st_nlink:
                    found.append(Work(folder / name, file))
                else:
                    os.close(file)
    return found


def is_alive(key: str) -> bool:
    """Whether the process whose work has this key is still running."""
    try:
        file = os.open(_pending() / f"{key}{_RECORD}", os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _try_lock(file)
    finally:
        os.close(file)


def _wait(folder: Path, about: Path) -> None:
    for path in folder.glob(f"*{_RECORD}"):
        with suppress(OSError):
            file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if any(row.folder == str(about) for row in Work(path, file).rows()):
                    fcntl.flock(file, fcntl.LOCK_EX)
            finally:
                os.close(file)


def _lock(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _pending() -> Path:
    return repos_root() / ".pending"


def remove_folder(path: Path) -> None:
    """Remove a folder: it is renamed first, then its content is deleted."""
    with storage_errors(f"removing {path}"), working(freeing=True) as work:
        os.rename(path, work.beside(path, "removed"))


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new temporary folder ``.NAME.…``, which is removed after the block.

    Parameters
    ----------
    parent
        Where it is made; it is created if necessary.

    Raises
    ------
    StorageError
        If it cannot be made.
    """
    with working() as work:
        with storage_errors(f"writing to {parent}"):
            path = work.temporary(parent, f".{name}")
            path.mkdir(parents=True, mode=0o700)
        yield path


@contextmanager
def writing_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """`new_file` with a record: the next command removes the unfinished file of a killed process.

    There is no record if CK_REPOS is not writable.
    """
    absolute = path.absolute()
    with ExitStack() as stack:
        with suppress(StorageError):
            stack.enter_context(working()).writes(absolute)
        yield stack.enter_context(new_file(absolute, overwrite=overwrite))

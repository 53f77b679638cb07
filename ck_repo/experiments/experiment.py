"""Experiment entries: created in a temporary folder during the run, published after it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ck_repo.errors import CKError, ConflictError, StorageError
from ck_repo.session import Session
from ck_repo.store.atomic import storage_errors
from ck_repo.store.entry import Entry, write_entry
from ck_repo.store.lock import locked
from ck_repo.store.modules import module_uid
from ck_repo.store.repository import check_name
from ck_repo.store.uid import new_uid
from ck_repo.store.writing import module_folder, publish

MODULE = "experiment"
_KEPT_FAILURES = 5
_RUN, _LOCK = ".run-", ".lock-"
_OLD = 3600  # s


class Recording:
    """An unfinished experiment.

    Parameters
    ----------
    repository
        Alias of the repository; `local` if empty.
    alias
        The experiment's name; its UID if empty. An existing name is refused at once.
    """

    def __init__(self, session: Session, repository: str = "", alias: str = "") -> None:
        self._repository = session.repositories.writable(repository)
        self.uid = new_uid()
        self._home = module_folder(self._repository, MODULE)
        self._final = self._home / (alias or self.uid)
        check_name(alias or self.uid)
        if self._final.exists():
            raise ConflictError(f"{MODULE}:{alias} already exists", hint="choose another name with --record=NAME")

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """The run folder. If the run fails, its logs are kept next to the experiments, and not listed."""
        lock = self._lock(self.uid)
        try:
            with locked(lock, "recording the run"):  # while it is held, no process removes the folder
                self._tidy()
                with self._staged() as staging:
                    yield staging
        finally:
            lock.unlink(missing_ok=True)

    @contextmanager
    def _staged(self) -> Iterator[Path]:
        staging = self._home / f"{_RUN}{self.uid}"
        with storage_errors("recording the run"):
            staging.mkdir(parents=True)
        try:
            yield staging
        except Exception as error:
            kept = self._home / f".failed-{self.uid}"
            if staging.exists():
                staging.rename(kept)
            if isinstance(error, CKError):
                error.log = error.log.replace(str(staging), str(kept))
            self._tidy()
            raise
        except BaseException:  # Ctrl-C: discard everything
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def _lock(self, uid: str) -> Path:
        return self._home / f"{_LOCK}{uid}"

    def publish(self, folder: Path, meta: Mapping[str, object]) -> Entry:
        """Publish the finished run as an entry.

        Parameters
        ----------
        folder
            The run folder, which becomes the entry.

        Raises
        ------
        ConflictError
            If the name was taken during the run.
        """
        if self._final.exists():
            raise ConflictError(f"{MODULE}:{self._final.name} already exists", hint="choose another name")
        write_entry(folder, self.uid, meta, module=MODULE, module_uid=module_uid(MODULE), name=self._final.name)
        return publish(self._repository, MODULE, folder, self._final, self.uid)

    def _tidy(self) -> None:
        """Remove old failed runs, and the run folders of killed processes."""
        for path in sorted(self._home.glob(".failed-*"), key=_changed)[:-_KEPT_FAILURES]:
            shutil.rmtree(path, ignore_errors=True)
        _sweep_folder(self._home)


def sweep(session: Session) -> None:
    """Remove the run folders of killed processes in every writable repository."""
    for repository in session.repositories.all():
        home = repository.path / MODULE
        if os.access(home, os.W_OK):
            _sweep_folder(home)


def _sweep_folder(home: Path) -> None:
    """Remove the folders of killed runs: the folder of a current run is locked."""
    with os.scandir(home) as rows:
        names = [row.name for row in rows if row.name.startswith((_RUN, _LOCK))]
    for uid in (name.removeprefix(_RUN) for name in names if name.startswith(_RUN)):
        lock = home / f"{_LOCK}{uid}"
        with suppress(StorageError), locked(lock, "tidying", wait=False):
            shutil.rmtree(home / f"{_RUN}{uid}", ignore_errors=True)
            lock.unlink(missing_ok=True)
    running = {name.removeprefix(_RUN) for name in names}
    for name in names:
        # a lock without a folder may belong to a run that is about to create it: only remove old ones
        if name.startswith(_LOCK) and name.removeprefix(_LOCK) not in running and _changed(home / name) < time.time() - _OLD:
            with suppress(StorageError), locked(home / name, "tidying", wait=False):
                (home / name).unlink(missing_ok=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process was cleaning up
        return 0.0

"""Locks across processes, one for each key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import StorageError
from ck_repo.store.atomic import storage_errors


@contextmanager
def locked(path: Path, doing: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path` during the block; report if another process holds it.

    The operating system releases the lock when its holder ends, for any reason.

    Parameters
    ----------
    doing
        The operation, for messages.
    wait
        Whether to wait for another process.

    Raises
    ------
    StorageError
        If another process holds the lock and `wait` is false, or the file cannot be written.
    """
    from filelock import FileLock, Timeout

    with storage_errors(f"locking {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    with storage_errors(f"locking {path}"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise StorageError(f"{doing}: locked by another process", hint="wait for it to end") from None
            progress.say(f"{doing}: locked by another process; waiting", always=True)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()

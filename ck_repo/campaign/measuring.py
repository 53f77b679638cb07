"""One measurement at a time on a machine, across processes and users."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import StorageError

VARIABLE = "CK_MEASUREMENT_LOCK"
_USUAL = "/tmp/ck-measurement.lock"


@contextmanager
def measuring() -> Iterator[None]:
    """Hold the machine's lock during the block, which measures or installs; wait until it is free.

    The lock is on a file that all users can open; the operating system releases it when its holder ends.
    """
    path = Path(os.environ.get(VARIABLE) or _USUAL)
    file = _opened(path)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise StorageError(f"{path} cannot be locked: {error.strerror}", hint=_HINT) from None
            progress.say("another campaign is measuring on this machine, or installs; waiting for it to end", always=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


_HINT = f"{VARIABLE} sets another file, which has to be the same for all users of this machine"


def _opened(path: Path) -> int:
    """The file, opened for reading, which is sufficient for a lock and also works with another user's file."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            file = os.open(path, flags)
        except FileNotFoundError:
            try:
                file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
                os.fchmod(file, 0o644)  # the umask may have removed read permission for others
            except FileExistsError:  # another process created it first
                file = os.open(path, flags)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror}", hint=_HINT) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise StorageError(f"{path} is not a file", hint=_HINT)
    return file

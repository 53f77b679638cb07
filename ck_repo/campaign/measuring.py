"""One measurement at a time on a machine, whatever processes and users measure there."""

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
    """Hold the machine's lock while the body measures; wait for whoever has it.

    The lock is that of a file which all users can open; the operating system frees it when its holder ends.
    """
    path = Path(os.environ.get(VARIABLE) or _USUAL)
    file = _opened(path)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise StorageError(f"{path} cannot be locked: {error.strerror}", hint=_HINT) from None
            progress.say("another campaign measures on this machine; waiting for its run to end", always=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


_HINT = f"{VARIABLE} names another file, which has to be the same for everybody who measures on this machine"


def _opened(path: Path) -> int:
    """The file, for reading: a lock needs no more, and another user's file can be locked as well."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            file = os.open(path, flags)
        except FileNotFoundError:
            try:
                file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
                os.fchmod(file, 0o644)  # the umask may have made it readable for this user alone
            except FileExistsError:  # another process was first
                file = os.open(path, flags)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror}", hint=_HINT) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise StorageError(f"{path} is not a file", hint=_HINT)
    return file

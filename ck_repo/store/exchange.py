"""Exchange two paths: atomically where the operating system can (Linux's renameat2), else with three renames."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_AT_FDCWD = -100  # <fcntl.h>: relative paths start at the working directory
_RENAME_EXCHANGE = 2  # <linux/fs.h>
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def exchange(one: Path, other: Path) -> None:
    """Exchange two existing paths on the same file system.

    Without renameat2, `other` does not exist for a moment. A process that is killed then leaves `aside(one)`, and
    `finish_exchange` completes the exchange.
    """
    if not _exchange_at_once(one, other):
        os.rename(other, aside(one))
        finish_exchange(one, other)


def aside(path: Path) -> Path:
    """The temporary name of the other path during the three renames."""
    return path.with_name(f"{path.name}.old")


def finish_exchange(one: Path, other: Path) -> None:
    """Complete an exchange that was interrupted between its renames."""
    if not os.path.lexists(other):
        os.rename(one, other)
    if os.path.lexists(aside(one)):
        os.rename(aside(one), one)


def _exchange_at_once(one: Path, other: Path) -> bool:
    """Exchange them in one system call; return False if the operating system or the file system has none."""
    import ctypes  # importing ctypes takes 5 ms, and only replacements need it

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))

"""Exchange two paths: in one step where the operating system can (Linux's renameat2), else by three renames."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_AT_FDCWD = -100  # <fcntl.h>: relative paths start at the working directory
_RENAME_EXCHANGE = 2  # <linux/fs.h>
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def exchange(one: Path, other: Path) -> None:
    """Let two existing paths of one file system change places.

    Without renameat2, `other` is missing for a moment. A process that is killed in that moment leaves `aside(one)`, and
    `finish_exchange` completes the work.
    """
    if not _exchange_at_once(one, other):
        os.rename(other, aside(one))
        finish_exchange(one, other)


def aside(path: Path) -> Path:
    """The name that the other path has while the three renames go on."""
    return path.with_name(f"{path.name}.old")


def finish_exchange(one: Path, other: Path) -> None:
    """Complete three renames of which some are done."""
    if not os.path.lexists(other):
        os.rename(one, other)
    if os.path.lexists(aside(one)):
        os.rename(aside(one), one)


def _exchange_at_once(one: Path, other: Path) -> bool:
    """Whether the operating system exchanged them; False if it or the file system has no such call."""
    import ctypes  # 5 ms, which only a replacement needs

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))

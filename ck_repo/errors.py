"""The errors that reach a user: each says what failed, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class CKError(Exception):
    """Something failed in a way that is told to the user without a traceback.

    Parameters
    ----------
    what
        What failed and why, one sentence or more.
    hint
        What the user can do about it.
    log
        Path of the log to read, if there is one.
    tail
        The last lines of that log.
    """

    code = 1

    def __init__(self, what: str, *, hint: str = "", log: object = None, tail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.log = str(log) if log else ""
        self.tail = tail.rstrip()

    def __str__(self) -> str:
        parts = [self.what]
        if self.tail:
            parts.append("the log ends with:\n  " + "\n  ".join(self.tail.splitlines()))
        if self.log:
            parts.append(f"whole log: {self.log}")
        if self.hint:
            parts.append(self.hint)
        return "\n".join(parts)


class UsageError(CKError):
    """The command cannot be understood."""

    code = 2


class ConfigError(CKError):
    """A file that a person writes (meta.json, a template, a spec) is not as it has to be."""

    code = 3


class ConflictError(CKError):
    """Two things that are asked for exclude each other, or a name is taken."""

    code = 4


class DownloadError(CKError):
    """A file cannot be fetched, or what came is not what was asked for."""

    code = 5


class OfflineError(DownloadError):
    """Something is not here, and the network is off limits."""


class InstallError(CKError):
    """A component cannot be installed."""

    code = 6


class UntrustedError(InstallError):
    """Code or a decision of somebody else's, which needs the user's word (``--trust``)."""


class RunError(CKError):
    """The benchmark itself failed."""

    code = 7


class OverTimeError(RunError):
    """A run took longer than its limit."""


class StorageError(CKError):
    """The disk is full, read-only or otherwise does not do what is asked."""

    code = 8


class DetectError(CKError):
    """A file or folder is not what it is said to be."""

    code = 9


class NotTheSameError(CKError):
    """What was to be the same is not: a digest, an accuracy, an environment."""

    code = 10


class NotFoundError(CKError):
    """An action, module, entry, option or tag that does not exist (CK's own code for this is 16)."""

    code = 16


class DiskFullError(StorageError):
    """The disk is full."""


class GitError(StorageError):
    """git says no."""

    code = 5


class InterruptedByUser(CKError):
    """Ctrl-C."""

    code = 130


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known words, or lists a few of them when none is near."""
    from difflib import get_close_matches

    names = sorted(set(known))
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")

"""The errors that are shown to users: each says what failed, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class CKError(Exception):
    """An error that is shown to the user without a traceback.

    Parameters
    ----------
    what
        What failed and why, in one or more sentences.
    hint
        What the user can do about it.
    log
        Path of the log to read, if any.
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
            parts.append(f"complete log: {self.log}")
        if self.hint:
            parts.append(self.hint)
        return "\n".join(parts)


class UsageError(CKError):
    """The command is not valid."""

    code = 2


class ConfigError(CKError):
    """A file that users write (meta.json, a template, a spec) is not valid."""

    code = 3


class ConflictError(CKError):
    """Two options exclude each other, or a name is taken."""

    code = 4


class DownloadError(CKError):
    """A file cannot be downloaded, or is not the expected one."""

    code = 5


class OfflineError(DownloadError):
    """Something is missing, and the network may not be used."""


class InstallError(CKError):
    """A component cannot be installed."""

    code = 6


class UntrustedError(InstallError):
    """Code or a decision of another repository needs the user's consent (``--trust``)."""


class RunError(CKError):
    """The benchmark itself failed."""

    code = 7


class OverTimeError(RunError):
    """A run exceeded its time limit."""


class StorageError(CKError):
    """The disk is full, read-only or otherwise failing."""

    code = 8


class DetectError(CKError):
    """A file or folder does not have the expected digest or content."""

    code = 9


class MismatchError(CKError):
    """Verification failed: a digest, an accuracy or an environment differs."""

    code = 10


class NotFoundError(CKError):
    """An action, module, entry, option or tag does not exist (code 16 in CK)."""

    code = 16


class DiskFullError(StorageError):
    """The disk is full."""


class GitError(StorageError):
    """git failed."""

    code = 5


class InterruptedByUser(CKError):
    """Ctrl-C."""

    code = 130


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the most similar known words, or a few of them if none is similar."""
    from difflib import get_close_matches

    names = sorted(set(known))
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")

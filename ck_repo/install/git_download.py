"""Commits of git repositories: resolve names, and download the files of a commit as an archive."""

from __future__ import annotations

from pathlib import Path

from ck_repo.errors import DiskFullError, DownloadError, GitError, StorageError
from ck_repo.install.git_source import Commit, archive_commit, resolve_commit
from ck_repo.install.http_request import certificate, timeout
from ck_repo.install.retry import PermanentError, TransientError
from ck_repo.install.source import is_local
from ck_repo.install.transfer import Transfer
from ck_repo.network import refuse_offline

# messages of git for errors that a retry may solve
_NETWORK_OF_GIT = (
    "onnection", "onnect to", "timed out", "early EOF", "RPC failed", "returned error: 5", "too slow",
    "gnutls_handshake", "SSL_ERROR_SYSCALL",
)  # fmt: skip


def commit_named(url: str, name: str) -> str:
    """The current commit of a branch, a tag or an abbreviated commit of a git repository.

    Raises
    ------
    DownloadError
        If there is none, or the server cannot be reached.
    OfflineError
        If the network is disabled.
    """
    if not is_local(url):
        refuse_offline(f"{url} (the commit of {name or 'its default branch'})")
    try:
        return resolve_commit(url, name, certificate=certificate())
    except GitError as error:
        raise DownloadError(f"{url}: {error.what}", hint=error.hint, tail=error.tail) from error


class CommitArchive(Transfer):
    """Packs the files of a commit."""

    def __init__(self, commit: Commit, part: Path) -> None:
        super().__init__(part)
        self._commit = commit

    def fetch(self) -> None:
        """Download the commit, and write its files into a tar."""
        try:
            archive_commit(self._commit, self.part, patience=timeout(), certificate=certificate())
        except StorageError as error:
            self.discard()
            if isinstance(error, DiskFullError):  # another URL needs as much space
                raise
            reason = " ".join((error.tail or f"{error.what}: {error.hint}").split()[-40:])
            if any(sign in reason for sign in _NETWORK_OF_GIT):
                raise TransientError(reason) from error
            raise PermanentError(reason) from error

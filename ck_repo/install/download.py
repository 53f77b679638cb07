"""Download a file from the first URL that has the expected one: over HTTP, from this machine, or from a commit by git."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ck_repo import progress
from ck_repo.errors import DownloadError
from ck_repo.install.git_download import CommitArchive
from ck_repo.install.git_source import read_commit
from ck_repo.install.http_request import network_hint
from ck_repo.install.http_transfer import HttpTransfer
from ck_repo.install.local_copy import LocalCopy
from ck_repo.install.retry import PermanentError, with_retries
from ck_repo.install.source import is_local
from ck_repo.install.transfer import Transfer
from ck_repo.network import is_offline

Verify = Callable[[Path, str], str]


def download(
    urls: Sequence[str],
    part: Path,
    size: int | None,
    title: str,
    verify: Verify,
    *,
    unknown: bool = False,
) -> None:
    """Download a file into `part`, resuming an earlier attempt.

    Parameters
    ----------
    urls
        Its URLs; the next is tried when one fails or has another file.
    part
        The file to write; its content is kept if the server can resume.
    size
        Its length in bytes, if known: longer downloads are refused.
    title
        The text for the progress bar.
    verify
        Takes a downloaded file, and its SHA-256 if that was computed during the download, else an empty text. Returns the
        difference from the expected file; empty if there is none.
    unknown
        Whether `verify` has no digest. Parts are then only joined if the server confirms that they have the same version, and
        the caller keeps nothing for later commands.

    Raises
    ------
    DownloadError
        If no URL has the expected file; the message has the reason for each.
    """
    failures = []
    resumable = False
    reachable = [url for url in urls if not is_offline() or is_local(url)]
    with progress.task(title, size, "B") as task:
        for url in reachable:
            transfer = _transfer(url, part, size, task, unknown)
            try:
                _verified(transfer, verify)
                return
            except PermanentError as error:
                failures.append(f"{url}: {error}")
                resumable = resumable or transfer.resumable
    have = part.stat().st_size if part.exists() and not unknown else 0
    kept = f" ({have} bytes are kept for the next try)" if have and resumable else ""
    raise DownloadError(f"{title} failed{kept}\n  " + "\n  ".join(failures), hint=network_hint(have if resumable else 0))


def _transfer(url: str, part: Path, size: int | None, task: progress.Task, unknown: bool) -> Transfer:
    """The transfer for a URL."""
    if commit := read_commit(url):
        return CommitArchive(commit, part)
    if urlsplit(url).scheme == "file":
        return LocalCopy(url, part, task)
    return HttpTransfer(url, part, size, task, unknown)


def _verified(transfer: Transfer, verify: Verify) -> None:
    """Download a file. A wrong one is removed; if it was joined from parts, it is downloaded once more completely."""
    for last in (False, True):
        with_retries(transfer.fetch, transfer.have)
        wrong = verify(transfer.part, transfer.sha256)
        if not wrong:
            return
        pieces = transfer.pieces
        transfer.discard()
        if last or pieces < 2:
            raise PermanentError(f"it is the wrong file: {wrong}")

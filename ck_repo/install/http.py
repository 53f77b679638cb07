"""Files over HTTP, from this machine, or of a commit by git: with resume, retries and back-off. TLS is always verified."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from ck_repo import __version__, progress
from ck_repo.errors import DownloadError, GitError, StorageError, UsageError
from ck_repo.install.git_source import Commit, archive_commit, read_commit, resolve_commit
from ck_repo.install.pip_settings import pip_settings
from ck_repo.install.source import is_local
from ck_repo.network import is_offline, refuse_offline

T = TypeVar("T")
_BLOCK = 1 << 15  # bytes; what has come of a block is lost when the line is cut
_TRIES = 5  # for each URL
# what git says when another try may help
_NETWORK_OF_GIT = (
    "onnection", "onnect to", "timed out", "early EOF", "RPC failed", "returned error: 5", "too slow",
    "gnutls_handshake", "SSL_ERROR_SYSCALL",
)  # fmt: skip
_FINAL = frozenset({400, 401, 403, 404, 405, 410, 451})  # statuses that no second try mends


class _Retry(Exception):
    """This try failed, another may not."""


class _GiveUp(Exception):
    """This URL will not do."""


def _wait_base() -> float:
    """Seconds before the second try; each further one waits twice as long."""
    return _seconds("CK_RETRY_WAIT", 1.0)


def _timeout() -> float:
    """Seconds without a byte after which a server counts as hanging."""
    return _seconds("CK_DOWNLOAD_TIMEOUT", 30.0)


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{variable}={text} is not a number of seconds")
    return seconds


def _certificate() -> str:
    """A file with a company's own authority, as pip is told of it; empty if there is none."""
    return os.environ.get("SSL_CERT_FILE") or pip_settings().get("cert") or ""


def _session() -> Any:
    import requests

    session = requests.Session()
    if certificate := _certificate():
        session.verify = certificate
    session.headers.update({"User-Agent": f"ck-repo/{__version__}", "Accept-Encoding": "identity"})
    return session


def get_json(urls: Sequence[str]) -> Any:
    """A JSON document from the first URL that gives one."""
    refuse_offline(f"{urls[-1]} (what the publisher says of a file)")
    failures = []
    for url in urls:
        try:
            return _tries(partial(_json_once, url))
        except _GiveUp as error:
            failures.append(f"{url}: {error}")
    raise DownloadError(f"{urls[-1]} cannot be fetched\n  " + "\n  ".join(failures), hint=_network_hint())


def _json_once(url: str) -> Any:
    import requests

    try:
        with _session() as session, session.get(url, timeout=_timeout()) as response:
            _check_status(response.status_code)
            return json.loads(response.content)
    except requests.RequestException as error:
        raise _Retry(_reason(error)) from error
    except ValueError as error:
        raise _GiveUp(f"the answer is not JSON: {error}") from error


def commit_named(url: str, name: str) -> str:
    """The commit that a branch, a tag or the first digits of a commit name in a git repository now.

    Raises
    ------
    DownloadError
        If there is none, or the server cannot be reached.
    OfflineError
        If the network is off limits.
    """
    if not is_local(url):
        refuse_offline(f"{url} (which commit {name or 'its first branch'} is)")
    try:
        return resolve_commit(url, name, certificate=_certificate())
    except GitError as error:
        raise DownloadError(f"{url}: {error.what}", hint=error.hint, tail=error.tail) from error


def download(urls: Sequence[str], part: Path, size: int | None, title: str, verify: Callable[[Path], str]) -> None:
    """Fetch a file into `part`, going on where an earlier try stopped.

    Parameters
    ----------
    urls
        Where it is; the next is tried when one fails or gives another file.
    part
        The file to write; what it holds already is kept if the server can go on from there.
    size
        Its length in bytes, if known: more than that is refused while it comes.
    title
        What the user sees beside the progress bar.
    verify
        What is wrong with a file that came, expected and seen; empty if it is right.

    Raises
    ------
    DownloadError
        If no URL gives the right file; the message tells of each why not.
    """
    failures = []
    reachable = [url for url in urls if not is_offline() or is_local(url)]
    with progress.task(title, size, "B") as task:
        for url in reachable:
            try:
                _verified(url, part, size, task, verify)
                return
            except _GiveUp as error:
                failures.append(f"{url}: {error}")
    kept = f" ({part.stat().st_size} bytes are kept for the next try)" if part.exists() and part.stat().st_size else ""
    raise DownloadError(f"{title} failed{kept}\n  " + "\n  ".join(failures), hint=_network_hint())


def _verified(url: str, part: Path, size: int | None, task: progress.Task, verify: Callable[[Path], str]) -> None:
    """Fetch from one URL. A file that is wrong goes; one begun by an earlier try is fetched once more, from the start."""
    for begun in (True, False) if part.exists() else (False,):
        _tries(lambda: _file_once(url, part, size, task), lambda: part.stat().st_size if part.exists() else 0)
        wrong = verify(part)
        if not wrong:
            return
        part.unlink()
        if not begun:
            raise _GiveUp(f"it is not the file that it should be: {wrong}")


def _tries(once: Callable[[], T], reached: Callable[[], int] = lambda: 0) -> T:
    """Try until it works, with longer and longer waits; a try that got further than any before does not count."""
    number, furthest = 0, reached()
    while True:
        try:
            return once()
        except _Retry as error:
            if reached() > furthest:
                number, furthest = 0, reached()
            number += 1
            if number >= _TRIES:
                raise _GiveUp(f"{error} ({_TRIES} tries)") from error
            time.sleep(_wait_base() * 2 ** (number - 1) * random.uniform(0.8, 1.2))


def _file_once(url: str, part: Path, size: int | None, task: progress.Task) -> None:
    if commit := read_commit(url):
        _commit(commit, part)
        return
    if urlsplit(url).scheme == "file":
        _copy(Path(unquote(urlsplit(url).path)), part, task)
        return
    import requests

    have = part.stat().st_size if part.exists() else 0
    if size is not None and have >= size:
        if have == size:
            part.touch()
            return
        part.unlink()
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with _session() as session, session.get(url, headers=headers, stream=True, timeout=_timeout()) as response:
            ours = response.headers.get("Content-Range", "")
            if response.status_code == 416:  # there is nothing beyond what we have: it is whole, or another file
                if ours.rpartition("/")[2] == str(have):
                    return
                part.unlink()
                raise _Retry("the server cannot go on from where the last try stopped")
            _check_status(response.status_code)
            if response.status_code == 206 and not ours.startswith(f"bytes {have}-"):
                part.unlink()
                raise _Retry(f"the server sent another part than was asked for: {ours or 'it does not say which'}")
            _write(response, part, have if response.status_code == 206 else 0, size, task)
    except requests.RequestException as error:
        raise _Retry(_reason(error)) from error
    got = part.stat().st_size
    if size is not None and got < size:
        raise _Retry(f"it ended after {got} of {size} bytes")


def _write(response: Any, part: Path, start: int, size: int | None, task: progress.Task) -> None:
    announced = response.headers.get("Content-Length", "")
    total = size or (start + int(announced) if announced.isdigit() else None)
    done = start
    with open(part, "ab" if start else "wb") as file:
        for block in response.iter_content(_BLOCK):
            done += len(block)
            if size is not None and done > size:
                file.close()
                part.unlink()
                raise _GiveUp(f"it is longer than the {size} bytes that it should have")
            file.write(block)
            task.advance_to(done, total)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, part: Path, task: progress.Task) -> None:
    try:
        with open(source, "rb") as origin, open(part, "wb") as file:
            total, done = os.fstat(origin.fileno()).st_size, 0
            while block := origin.read(1 << 20):
                file.write(block)
                done += len(block)
                task.advance_to(done, total)
    except FileNotFoundError:
        raise _GiveUp("there is no such file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise _GiveUp(str(error)) from None


def _commit(commit: Commit, part: Path) -> None:
    try:
        archive_commit(commit, part, patience=_timeout(), certificate=_certificate())
    except StorageError as error:
        part.unlink(missing_ok=True)
        reason = " ".join((error.tail or f"{error.what}: {error.hint}").split()[-40:])
        if any(sign in reason for sign in _NETWORK_OF_GIT):
            raise _Retry(reason) from error
        raise _GiveUp(reason) from error


def _check_status(status: int) -> None:
    if status in (200, 206):
        return
    if status in _FINAL:
        raise _GiveUp(f"the server answers {status}")
    raise _Retry(f"the server answers {status}")


def _reason(error: Exception) -> str:
    """A network error in a few words."""
    text = str(error)
    if "SSLError" in type(error).__name__ or "CERTIFICATE_VERIFY_FAILED" in text:
        raise _GiveUp(f"its TLS certificate cannot be verified: {text[:200]}") from error
    for sign, meaning in (
        ("Read timed out", f"no byte came for {_timeout():g} s"),
        ("timed out", f"no connection within {_timeout():g} s"),
        ("Connection refused", "the connection is refused"),
        ("Name or service not known", "the host's name is not known: is there a network?"),
        ("NameResolutionError", "the host's name is not known: is there a network?"),
        ("Temporary failure in name resolution", "the host's name is not known: is there a network?"),
        ("Network is unreachable", "there is no network"),
        ("IncompleteRead", "the connection was cut"),
        ("Connection aborted", "the connection was cut"),
        ("Connection broken", "the connection was cut"),
    ):
        if sign in text:
            return meaning
    return f"{type(error).__name__}: {text[:200]}"


def _network_hint() -> str:
    return (
        "check the network and run the same command again: it goes on where it stopped. A proxy is taken from "
        "HTTPS_PROXY, a mirror from CK_MIRRORS, and a file that you have from `ck detect soft:… --full_path=…`"
    )

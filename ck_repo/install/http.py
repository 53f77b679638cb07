"""Files over HTTP, from this machine, or of a commit by git: with resume, retries and back-off. TLS is always verified."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ck_repo import __version__, progress
from ck_repo.errors import DiskFullError, DownloadError, GitError, StorageError, UsageError
from ck_repo.install.git_source import Commit, archive_commit, read_commit, resolve_commit
from ck_repo.install.pip_settings import pip_settings
from ck_repo.install.source import is_local, local_file
from ck_repo.network import is_offline, refuse_offline
from ck_repo.store.atomic import too_large, usable
from ck_repo.store.plain_file import MISSING, UnreadableError, opened

T = TypeVar("T")
_BLOCK = 1 << 15  # bytes; what has come of a block is lost when the line is cut
_TRIES = 5  # for each URL
_LONGEST_WAIT = 120  # s that a server may ask us to wait
_LARGEST_JSON = 16 << 20  # bytes
# what git says when another try may help
_NETWORK_OF_GIT = (
    "onnection", "onnect to", "timed out", "early EOF", "RPC failed", "returned error: 5", "too slow",
    "gnutls_handshake", "SSL_ERROR_SYSCALL",
)  # fmt: skip
_FINAL = frozenset({400, 401, 403, 404, 405, 410, 451})  # statuses that no second try mends


class _Retry(Exception):
    """This try failed, another may not.

    Parameters
    ----------
    after
        Seconds that the server asks us to wait before it.
    """

    def __init__(self, why: str, after: float = 0) -> None:
        super().__init__(why)
        self.after = after


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
    with _answer(url, {}) as response:
        _check_status(response)
        content = b""
        for block in response.iter_content(_BLOCK):
            content += block
            if len(content) > _LARGEST_JSON:
                raise _GiveUp(f"the answer is larger than {_LARGEST_JSON} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
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


@contextmanager
def _answer(url: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """Ask for a URL; whatever the libraries say of the answer, and of its content while it is read, is a try that failed."""
    import requests
    import urllib3

    final = (
        requests.TooManyRedirects, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema, requests.exceptions.InvalidHeader, urllib3.exceptions.LocationValueError,
    )  # fmt: skip
    try:
        with _session() as session, session.get(url, headers=headers, stream=True, timeout=_timeout()) as response:
            yield response
    except final as error:
        raise _GiveUp(f"it leads nowhere: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Retry(_reason(error)) from error
    except ValueError as error:  # a redirect to what is no URL
        raise _GiveUp(f"the answer makes no sense: {error}") from error


def download(
    urls: Sequence[str],
    part: Path,
    size: int | None,
    title: str,
    verify: Callable[[Path], str],
    *,
    unknown: bool = False,
) -> None:
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
    unknown
        Whether `verify` knows no digest. Parts are then put together only if the server says that they are of one version,
        and the caller keeps nothing for a later command.

    Raises
    ------
    DownloadError
        If no URL gives the right file; the message tells of each why not.
    """
    failures = []
    resumable = False
    reachable = [url for url in urls if not is_offline() or is_local(url)]
    with progress.task(title, size, "B") as task:
        for url in reachable:
            transfer = _Transfer(url, part, size, task, unknown)
            try:
                transfer.verified(verify)
                return
            except _GiveUp as error:
                failures.append(f"{url}: {error}")
                resumable = resumable or transfer.resumable
    have = part.stat().st_size if part.exists() and not unknown else 0
    kept = f" ({have} bytes are kept for the next try)" if have and resumable else ""
    raise DownloadError(f"{title} failed{kept}\n  " + "\n  ".join(failures), hint=_network_hint(have if resumable else 0))


class _Transfer:
    """A file on its way from one URL.

    Attributes
    ----------
    resumable
        Whether a later try can go on from what is there: the server has not shown that it cannot.
    """

    def __init__(self, url: str, part: Path, size: int | None, task: progress.Task, unknown: bool = False) -> None:
        self._url, self._part, self._size, self._task, self._unknown = url, part, size, task, unknown
        self.resumable = not is_local(url)
        self._pieces = 1 if self._have() else 0  # answers that the file is put together from
        self._version: tuple[str, ...] | None = None

    def verified(self, verify: Callable[[Path], str]) -> None:
        """Fetch it. A file that is wrong goes; one that was put together from pieces is fetched once more, in one."""
        for last in (False, True):
            _tries(self._once, self._have)
            wrong = verify(self._part)
            if not wrong:
                return
            pieces = self._pieces
            self._anew()
            if last or pieces < 2:
                raise _GiveUp(f"it is not the file that it should be: {wrong}")

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _anew(self) -> None:
        """Forget what has come."""
        self._part.unlink(missing_ok=True)
        self._pieces, self._version = 0, None

    def _once(self) -> None:
        if commit := read_commit(self._url):
            self.resumable = False
            _commit(commit, self._part)
            return
        if urlsplit(self._url).scheme == "file":
            self._copy()
            return
        have = self._have()
        if self._size is not None and have >= self._size:
            if have == self._size:
                self._part.touch()
                return
            self._anew()
            have = 0
        with _answer(self._url, {"Range": f"bytes={have}-"} if have else {}) as response:
            begin = self._begin(response, have)
            if begin is None:
                return
            self._write(response, begin)
        got = self._have()
        if self._size is not None and got < self._size:
            raise _Retry(f"it ended after {got} of {self._size} bytes")

    def _begin(self, response: Any, have: int) -> int | None:
        """Where in the file the answer begins; None if there is nothing more to come."""
        status, place = response.status_code, response.headers.get("Content-Range", "")
        total = place.rpartition("/")[2]
        if status == 416:  # there is nothing beyond what we have: it is whole, or another file
            if not have:
                raise _GiveUp("the server answers 416, although the whole file was asked for")
            if total == str(have):
                return None
            self._anew()
            raise _Retry("the server cannot go on from where the last try stopped")
        _check_status(response)
        if status == 200:
            self.resumable = self.resumable and not have
            self._pieces, self._version = 1, self._version_of(response, response.headers.get("Content-Length", ""))
            return 0
        version = self._version_of(response, total)
        changed = self._version is not None and any(a != b for a, b in zip(self._version, version, strict=True) if a and b)
        named = zip((self._version or ("", ""))[:2], version[:2], strict=True)  # ETag and Last-Modified
        unsure = self._unknown and not any(a and a == b for a, b in named)
        if (
            changed
            or unsure
            or not place.startswith(f"bytes {have}-")
            or response.headers.get("Content-Encoding", "identity") != "identity"
        ):
            self._anew()
            if changed:
                raise _Retry("the file changed on the server while it came")
            if unsure:
                raise _Retry("the server does not say whether the rest is of the same file")
            if not place.startswith(f"bytes {have}-"):
                raise _Retry(f"the server sent another part than was asked for: {place or 'it does not say which'}")
            raise _Retry("the server compresses a part of the file, which nobody asked for")
        self._pieces += 1
        self._version = version
        return have

    def _version_of(self, response: Any, total: str) -> tuple[str, ...]:
        """What tells one version of the file from another, as far as the server says."""
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        names = ("ETag", "Last-Modified")
        return (*(response.headers.get(name, "") for name in names), "" if encoded or not _count(total) else total)

    def _write(self, response: Any, start: int) -> None:
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        announced = None if encoded else _count(response.headers.get("Content-Length", ""))
        total = self._size or (start + announced if announced is not None else None)
        done, most = start, start + usable(self._part.parent)
        with open(self._part, "ab" if start else "wb") as file:
            for block in response.iter_content(_BLOCK):
                done += len(block)
                if self._size is not None and done > self._size:
                    file.close()
                    self._anew()
                    raise _GiveUp(f"it is longer than the {self._size} bytes that it should have")
                if self._size is None and done > most:
                    file.close()
                    self._anew()
                    raise too_large(f"fetching {self._url}", f"{done} bytes came without an end")
                file.write(block)
                self._task.advance_to(done, total)
            file.flush()
            os.fsync(file.fileno())

    def _copy(self) -> None:
        """Copy a plain file of this machine; a device or a pipe may have no end."""
        try:
            source = local_file(self._url).resolve()
            with opened(source.parent, source.name, most=1 << 62, links=False) as origin:
                total, most = os.fstat(origin.fileno()).st_size, self._have() + usable(self._part.parent)
                with open(self._part, "wb") as file:
                    done = 0
                    while block := origin.read(1 << 20):
                        done += len(block)
                        if max(done, total) > most:
                            file.close()
                            self._anew()
                            raise too_large(f"copying {source}", f"it has {max(done, total)} bytes")
                        file.write(block)
                        self._task.advance_to(done, total)
        except UnreadableError as error:
            raise _GiveUp("there is no such file" if error.why == MISSING else f"it is {error.why}") from None
        except (RuntimeError, ValueError):  # a loop of links; a NUL in the name
            raise _GiveUp("it leads nowhere") from None


def _count(text: str) -> int | None:
    """A number of bytes, as a header has it; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


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
            if error.after > _LONGEST_WAIT:
                raise _GiveUp(f"{error}, and asks to come back in {error.after:.0f} s") from error
            if error.after:
                progress.say(f"waiting {error.after:.0f} s, as the server asks")
            time.sleep(max(error.after, _wait_base() * 2 ** (number - 1) * random.uniform(0.8, 1.2)))


def _commit(commit: Commit, part: Path) -> None:
    try:
        archive_commit(commit, part, patience=_timeout(), certificate=_certificate())
    except StorageError as error:
        part.unlink(missing_ok=True)
        if isinstance(error, DiskFullError):  # another URL needs as much space
            raise
        reason = " ".join((error.tail or f"{error.what}: {error.hint}").split()[-40:])
        if any(sign in reason for sign in _NETWORK_OF_GIT):
            raise _Retry(reason) from error
        raise _GiveUp(reason) from error


def _check_status(response: Any) -> None:
    status = int(response.status_code)
    if status in (200, 206):
        return
    if status in _FINAL:
        raise _GiveUp(f"the server answers {status}")
    raise _Retry(f"the server answers {status}", _retry_after(response.headers.get("Retry-After", "")))


def _retry_after(text: str) -> float:
    """Seconds that a server asks us to wait, as a number or as a date; 0 if it says neither."""
    seconds = _count(text.strip())
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment - datetime.now(moment.tzinfo)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0


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


def _network_hint(have: int = 0) -> str:
    goes_on = f": it goes on behind the {have} bytes that are kept" if have else ""
    return (
        f"check the network and the address, and run the same command again{goes_on}. A proxy is taken from "
        "HTTPS_PROXY, a mirror from CK_MIRRORS, and a file that you have from `ck detect soft:… --full_path=…`"
    )

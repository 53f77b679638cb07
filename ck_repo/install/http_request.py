"""HTTP requests with TLS verification, and the meaning of answers and errors for retries."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from ck_repo import __version__
from ck_repo.errors import DownloadError
from ck_repo.install.pip_settings import pip_settings
from ck_repo.install.retry import PermanentError, TransientError, seconds_of, with_retries
from ck_repo.network import refuse_offline

BLOCK = 1 << 18  # maximum bytes that are read at once
SLOWEST = 100  # bytes/s; slower transfers are treated as read timeouts
LARGEST_JSON = 16 << 20  # maximum bytes
_SIZE_TIMEOUT = 5.0  # s to wait for the size of a file, which is only displayed
_FINAL = frozenset({400, 401, 403, 404, 405, 410, 451})  # status codes for which a retry is useless


def get_json(urls: Sequence[str]) -> Any:
    """A JSON document from the first URL that has one."""
    refuse_offline(f"{urls[-1]} (the publisher's record of a file)")
    failures = []
    for url in urls:
        try:
            return with_retries(partial(_json_once, url))
        except PermanentError as error:
            failures.append(f"{url}: {error}")
    raise DownloadError(f"{urls[-1]} cannot be downloaded\n  " + "\n  ".join(failures), hint=network_hint())


def size_of(urls: Sequence[str]) -> int | None:
    """The size of a file in bytes, from the first server that reports it; None if none does. Nothing is downloaded."""
    for url in urls:
        with suppress(TransientError, PermanentError), answer(url, {}, "HEAD", min(timeout(), _SIZE_TIMEOUT)) as response:
            if response.status_code == 200:
                return count_of(response.headers.get("Content-Length") or "")
    return None


def _json_once(url: str) -> Any:
    with answer(url, {}) as response:
        check_status(response)
        content = b""
        for block in blocks(response):
            content += block
            if len(content) > LARGEST_JSON:
                raise PermanentError(f"the answer is larger than {LARGEST_JSON} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PermanentError(f"the answer is not JSON: {error}") from error


@contextmanager
def answer(url: str, headers: Mapping[str, str], method: str = "GET", seconds: float = 0) -> Iterator[Any]:
    """Request a URL; the response is closed at the end of the block.

    Parameters
    ----------
    seconds
        Time without data after which the connection is given up, s; 0 for CK_DOWNLOAD_TIMEOUT.

    Raises
    ------
    TransientError
        If a new attempt may succeed; also while the content is read in the block.
    PermanentError
        If the URL or the response is invalid.
    """
    import requests
    import urllib3

    final = (
        requests.TooManyRedirects, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema, requests.exceptions.InvalidHeader, urllib3.exceptions.LocationValueError,
    )  # fmt: skip
    try:
        with (
            _session() as session,
            session.request(
                method, url, headers=headers, stream=True, timeout=seconds or timeout(), allow_redirects=True
            ) as response,
        ):
            yield response
    except final as error:
        raise PermanentError(f"the address is invalid: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise TransientError(_reason(error)) from error
    except ValueError as error:  # a redirect to an invalid URL
        raise PermanentError(f"the response is invalid: {error}") from error


def blocks(response: Any) -> Iterator[bytes]:
    """The content of a response, in blocks of at most `BLOCK` bytes.

    Raises
    ------
    TransientError
        If fewer than `SLOWEST` bytes/s arrived during a read timeout.
    """
    came, since = 0, time.monotonic()
    while block := response.raw.read1(BLOCK, decode_content=True):
        yield block
        came += len(block)
        waited = time.monotonic() - since
        if waited >= timeout():
            if came < SLOWEST * waited:
                raise TransientError(f"only {came} bytes were received in {waited:.0f} s", counts=True)
            came, since = 0, time.monotonic()


def check_status(response: Any) -> None:
    """Raise unless the server returns the file, or the requested part of it."""
    status = int(response.status_code)
    if status in (200, 206):
        return
    if status in _FINAL:
        raise PermanentError(f"the server answers {status}")
    raise TransientError(f"the server answers {status}", _retry_after(response.headers.get("Retry-After", "")))


def _retry_after(text: str) -> float:
    """Seconds that a server asks to wait, given as a number or a date; 0 if it gives neither."""
    seconds = count_of(text.strip())
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment - datetime.now(moment.tzinfo)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0


def count_of(text: str) -> int | None:
    """A number of bytes in a header; None for other values."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _reason(error: Exception) -> str:
    """A short description of a network error."""
    text = str(error)
    if "SSLError" in type(error).__name__ or "CERTIFICATE_VERIFY_FAILED" in text:
        raise PermanentError(f"its TLS certificate cannot be verified: {text[:200]}") from error
    for sign, meaning in (
        ("Read timed out", f"no data was received for {timeout():g} s"),
        ("timed out", f"no connection within {timeout():g} s"),
        ("Connection refused", "the connection was refused"),
        ("Name or service not known", "the host name cannot be resolved: is there a network?"),
        ("NameResolutionError", "the host name cannot be resolved: is there a network?"),
        ("Temporary failure in name resolution", "the host name cannot be resolved: is there a network?"),
        ("Network is unreachable", "there is no network"),
        ("IncompleteRead", "the connection was closed"),
        ("Connection aborted", "the connection was closed"),
        ("Connection broken", "the connection was closed"),
    ):
        if sign in text:
            return meaning
    return f"{type(error).__name__}: {text[:200]}"


def network_hint(have: int = 0) -> str:
    """The hint for a failed download, of which `have` bytes are kept."""
    goes_on = f"; the download resumes after the {have} bytes that were kept" if have else ""
    return (
        f"check the network and the address, and run the same command again{goes_on}. A proxy is taken from "
        "HTTPS_PROXY, a mirror from CK_MIRRORS, and local files can be registered with `ck detect soft:… --full_path=…`"
    )


def _session() -> Any:
    import requests

    session = requests.Session()
    if authority := certificate():
        session.verify = authority
    session.headers.update({"User-Agent": f"ck-repo/{__version__}", "Accept-Encoding": "identity"})
    return session


def timeout() -> float:
    """The read timeout, s."""
    return seconds_of("CK_DOWNLOAD_TIMEOUT", 30.0)


def certificate() -> str:
    """The file with an additional certificate authority, as for pip; empty if there is none."""
    return os.environ.get("SSL_CERT_FILE") or pip_settings().get("cert") or ""

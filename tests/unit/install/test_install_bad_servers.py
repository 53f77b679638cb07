"""Faulty servers (wrong lengths, loops, stalls, compression): fetch gives the right file, or an error with a right hint."""

from __future__ import annotations

import hashlib
import random
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
from servers import (
    Answer,
    Server,
    announced,
    document,
    raw,
    redirect,
    stalling,
    status,
    swelling,
    trickling,
    version,
    whole,
    without_ranges,
)

from ck_repo.errors import ConfigError, DownloadError
from ck_repo.install import http_request
from ck_repo.install.fetch import fetch, fetch_unknown
from ck_repo.install.http_request import get_json
from ck_repo.install.source import Source, read_source
from ck_repo.store.fields import Fields

CONTENT = random.Random(0).randbytes(700_000)
OTHER = random.Random(1).randbytes(700_000)
HALF = 2 << 18  # bytes in complete blocks
OK = b"HTTP/1.1 200 OK\r\n"


def source(url: str, content: bytes = CONTENT, *, size: int | None = None) -> Source:
    return Source((url,), size, sha256=hashlib.sha256(content).hexdigest())


def kept(ck_home: Path) -> list[int]:
    """Sizes of the partial downloads that are kept."""
    folder = ck_home / "CK-TOOLS/.cache/partial"
    return [path.stat().st_size for path in folder.iterdir()] if folder.exists() else []


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the requested waits without waiting."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.mark.parametrize("length", ["²", "-5", "+7", "1e3", "9" * 400, "1, 2", "", "x"])
def test_invalid_content_length(server: Server, length: str) -> None:
    def answer(call: object) -> None:
        body = CONTENT
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n".encode("latin-1")
        raw(head + body)(call)  # type: ignore[arg-type]

    url = server.give("/f", answer)
    with suppress(DownloadError):  # unreadable responses are reported as such
        assert fetch(source(url))[0].read_bytes() == CONTENT


@pytest.mark.parametrize(
    "place",
    ["http://[", "ftp://x/y", "file:///etc/passwd", "http://a" + "b" * 70 + ".example", "http://x:99999999/", "//["],
)
def test_redirect_without_target(server: Server, place: str) -> None:
    url = server.give("/f", redirect(place))
    with pytest.raises(DownloadError, match=r"address is invalid|response is invalid"):
        fetch(source(url))
    assert len(server.requests) == 1


def test_redirect_loop_is_followed_once(server: Server) -> None:
    url = server.give("/f", redirect("/f"))
    with pytest.raises(DownloadError, match="redirects"):
        fetch(source(url))
    assert len(server.requests) <= 31


@pytest.mark.parametrize("headers", [{}, {"Content_Range": "bytes */0"}, {"Content_Range": "bytes */700000"}])
def test_endless_416(server: Server, headers: dict[str, str]) -> None:
    url = server.give("/f", status(416, **headers))
    with pytest.raises(DownloadError, match="416 to a request for the complete file") as caught:
        fetch(source(url))
    assert "resumes" not in caught.value.hint


def test_416_after_interruption(server: Server, ck_home: Path) -> None:
    url = server.give("/f", whole(CONTENT, after=HALF), status(416), whole(CONTENT))
    assert fetch(source(url))[0].read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={HALF}-", ""]


def test_overlong_content_length_does_not_promise_resume(server: Server, ck_home: Path) -> None:
    url = server.give("/f", announced(CONTENT, len(CONTENT) + 10))
    with pytest.raises(DownloadError, match="the connection was closed") as caught:
        fetch(source(url))
    assert "resumes" not in caught.value.hint
    assert "are kept" not in str(caught.value)


def test_resumable_interruption_promises_resume(server: Server, ck_home: Path) -> None:
    url = server.give("/f", whole(CONTENT, after=HALF), status(404))
    with pytest.raises(DownloadError) as caught:
        fetch(source(url))
    assert f"the download resumes after the {kept(ck_home)[0]} bytes that were kept" in caught.value.hint


@pytest.mark.parametrize("known", [None, len(CONTENT)])
def test_content_changed_between_ranges_is_refetched(server: Server, known: int | None) -> None:
    url = server.give("/f", whole(OTHER, after=HALF), whole(CONTENT))
    assert fetch(source(url, size=known))[0].read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={HALF}-", ""]


def test_announced_change_is_not_resumed(server: Server) -> None:
    url = server.give("/f", version(OTHER, "one", after=HALF), version(CONTENT, "two", after=1 << 16), version(CONTENT, "two"))
    assert fetch(source(url))[0].read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={HALF}-", ""]


def test_partial_download_is_of_the_new_file(server: Server, ck_home: Path) -> None:
    new = version(CONTENT, "two", after=HALF)
    answers = [
        version(OTHER, "one", after=HALF),
        version(CONTENT, "two", after=1 << 16),
        new,
        status(404),
        version(CONTENT, "two"),
    ]
    url = server.give("/f", *answers)
    with pytest.raises(DownloadError) as caught:
        fetch(source(url))
    assert f"the download resumes after the {kept(ck_home)[0]} bytes that were kept" in caught.value.hint
    server.requests.clear()
    assert fetch(source(url))[0].read_bytes() == CONTENT
    assert server.ranges("/f") == [f"bytes={HALF}-"]


# files without a known digest


def test_unknown_file_keeps_no_partial_download(server: Server, ck_home: Path) -> None:
    url = server.give("/f", version(CONTENT, "one", after=HALF), status(404))
    with pytest.raises(DownloadError) as caught:
        fetch_unknown(Source((url,), None))
    assert "resumes" not in caught.value.hint
    assert "are kept" not in str(caught.value)
    assert kept(ck_home) == []


def test_unknown_file_is_never_mixed_from_two_versions(server: Server) -> None:
    url = server.give("/f", whole(OTHER, after=HALF), whole(CONTENT))
    assert fetch_unknown(Source((url,), None))[0].read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={HALF}-", ""]


def test_unknown_file_with_etag_is_resumed(server: Server) -> None:
    url = server.give("/f", version(CONTENT, "one", after=HALF), version(CONTENT, "one"))
    assert fetch_unknown(Source((url,), None))[0].read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={HALF}-"]


def test_file_with_changed_length_is_refetched(server: Server) -> None:
    url = server.give("/f", whole(OTHER + b"more", after=HALF), whole(CONTENT))
    assert fetch(source(url))[0].read_bytes() == CONTENT


def test_wrong_complete_file_is_requested_once(server: Server) -> None:
    with pytest.raises(DownloadError, match="is the wrong file"):
        fetch(source(server.give("/f", whole(OTHER))))
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_respected(server: Server, slept: list[float], code: int, date: bool) -> None:
    asked = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=115), usegmt=True) if date else "115"
    url = server.give("/f", status(code, Retry_After=asked), whole(CONTENT))
    assert fetch(source(url))[0].read_bytes() == CONTENT
    assert len(slept) == 1
    assert 50 < slept[0] <= 115


def test_long_retry_after_is_given_up(server: Server, slept: list[float]) -> None:
    url = server.give("/f", status(429, Retry_After=86400))
    with pytest.raises(DownloadError, match="answers 429, and requests a wait of 86400 s"):
        fetch(source(url))
    assert slept == []


@pytest.mark.parametrize("text", ["soon", "-5", "²", "Thu, 99 Foo 2026", "9" * 50])
def test_invalid_retry_after_is_ignored(server: Server, slept: list[float], text: str) -> None:
    url = server.give("/f", status(429, Retry_After=text), whole(CONTENT))
    assert fetch(source(url))[0].read_bytes() == CONTENT
    assert slept[0] < 1


def test_unrequested_compression_is_stored_unchanged(server: Server) -> None:
    url = server.give("/f", swelling(CONTENT))
    assert fetch(source(url, size=len(CONTENT)))[0].read_bytes() == CONTENT


def test_unrequested_compression_of_range_is_discarded(server: Server) -> None:
    url = server.give("/f", whole(CONTENT, after=HALF), swelling(CONTENT))
    assert fetch(source(url))[0].read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={HALF}-", ""]


def test_falsely_declared_compression(server: Server) -> None:
    url = server.give("/f", lambda call: call.send(200, CONTENT, Content_Encoding="gzip"))
    with pytest.raises(DownloadError, match="decode"):
        fetch(source(url))


def test_stalled_download_is_resumed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_DOWNLOAD_TIMEOUT", "1")
    url = server.give("/f", stalling(CONTENT, HALF), whole(CONTENT))
    assert fetch(source(url))[0].read_bytes() == CONTENT


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"\0" * 1000), raw(b"HTTP/1.1 999999 x\r\n\r\n"), raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw(OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n"), raw(b""), raw(OK + b"a: b\r\n" * 500),
    ],
    ids=["zeros", "status", "chunk", "long header", "nothing", "many headers"],
)  # fmt: skip
def test_non_http_response_is_our_error(server: Server, answer: Answer) -> None:
    with pytest.raises(DownloadError):
        fetch(source(server.give("/f", answer)))


def test_endless_document_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_request, "LARGEST_JSON", 1000)
    with pytest.raises(DownloadError, match="larger than 1000 bytes"):
        get_json([server.give("/j", document(["x"] * 1000))])


@pytest.mark.parametrize("body", [b"[" * 200_000, b"<html>", b"\xff"])
def test_invalid_document(server: Server, body: bytes) -> None:
    with pytest.raises(DownloadError, match="is not JSON"):
        get_json([server.give("/j", without_ranges(body))])


@pytest.mark.parametrize("url", ["http://[", "http://", "https:///x", "http://x:99999999/", "ext::sh -c x", "", "ftp://x/y"])
def test_recipe_with_invalid_url(url: str) -> None:
    with pytest.raises(ConfigError):
        read_source(Fields({"url": url}, "recipe"))


def test_trickling_server_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    """Receiving single bytes is no progress: tries are counted although each one gets further than the last."""
    monkeypatch.setenv("CK_DOWNLOAD_TIMEOUT", "1")
    url = server.give("/f", trickling(CONTENT, 0.02))
    with pytest.raises(DownloadError, match=r"bytes were received in \d+ s \(5 tries\)"):
        fetch(source(url, size=len(CONTENT)))
    assert len(server.requests) >= 5

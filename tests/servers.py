"""A real HTTP server on 127.0.0.1 with good or bad behaviour, scripted by tests."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from patience import PATIENCE


class Call(BaseHTTPRequestHandler):
    """One request."""

    server: _Http

    def do_GET(self) -> None:
        self.room._serve(self)

    @property
    def room(self) -> Server:
        return self.server.room

    @property
    def begin(self) -> int | None:
        """The start of the requested range; None without a range."""
        text = self.headers.get("Range", "")
        return int(text.removeprefix("bytes=").removesuffix("-")) if text else None

    def send(self, status: int, body: bytes, **headers: object) -> None:
        """Send headers, then the body, even if they contradict each other."""
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Do not respond."""


Answer = Callable[[Call], object]


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    room: Server


class Server:
    """The server as seen by a test.

    Attributes
    ----------
    requests
        (path, Range header) of every request, in order.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.stopping = threading.Event()
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), Call)
        self._http.room = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def give(self, path: str, *answers: Answer) -> str:
        """Answer requests for `path` with these, one after the other; the last one repeats. Returns the URL."""
        self._answers[path] = list(answers)
        return self.url + path

    def ranges(self, path: str) -> list[str]:
        """The Range header of each request for `path`, empty where there was none."""
        return [text for seen, text in self.requests if seen == path]

    def stop(self) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self, call: Call) -> None:
        with self._lock:
            self.requests.append((call.path, call.headers.get("Range", "")))
            rows = self._answers.get(call.path, [status(404)])
            answer = rows.pop(0) if len(rows) > 1 else rows[0]
        with suppress(ConnectionError):  # the client has gone
            answer(call)


def whole(content: bytes, after: int | None = None) -> Answer:
    """A good server that supports ranges. With `after` the connection is cut after that many bytes of the requested range."""

    def answer(call: Call) -> None:
        begin = call.begin or 0
        if begin >= len(content):
            call.send(416, b"", Content_Range=f"bytes */{len(content)}")
        elif call.begin is None:
            call.send(200, content[:after], Content_Length=len(content))
        else:
            rest = content[begin:]
            place = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            call.send(206, rest[:after], Content_Length=len(rest), Content_Range=place)

    return answer


def without_ranges(content: bytes) -> Answer:
    """A server that always sends the whole file."""
    return lambda call: call.send(200, content)


def elsewhere(content: bytes, begin: int) -> Answer:
    """A server that answers every range with the part from `begin` on."""

    def answer(call: Call) -> None:
        if call.begin is None:
            call.send(200, content)
        else:
            call.send(206, content[begin:], Content_Range=f"bytes {begin}-{len(content) - 1}/{len(content)}")

    return answer


def announced(content: bytes, length: int) -> Answer:
    """A server whose Content-Length differs from the content's length."""
    return lambda call: call.send(200, content, Content_Length=length)


def status(code: int, **headers: object) -> Answer:
    """A bare status."""
    return lambda call: call.send(code, b"no", **headers)


def document(value: Any) -> Answer:
    """JSON."""
    return lambda call: call.send(200, json.dumps(value).encode())


def hanging() -> Answer:
    """A server that accepts the request and does not respond."""
    return lambda call: call.room.stopping.wait()


def redirect(place: str) -> Answer:
    """A server that redirects to another location."""
    return lambda call: call.send(302, b"", Location=place)


def swelling(content: bytes) -> Answer:
    """A server that compresses without being asked, including ranges."""

    def answer(call: Call) -> None:
        packed = gzip.compress(content[call.begin or 0 :])
        where = {"Content_Range": f"bytes {call.begin}-{len(content) - 1}/{len(content)}"} if call.begin else {}
        call.send(206 if call.begin else 200, packed, Content_Encoding="gzip", **where)

    return answer


def version(content: bytes, tag: str, after: int | None = None) -> Answer:
    """As `whole`, of a file that has an ETag."""

    def answer(call: Call) -> None:
        begin = call.begin or 0
        rest = content[begin:]
        place = {"Content_Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        call.send(206 if begin else 200, rest[:after], Content_Length=len(rest), ETag=tag, **place)

    return answer


def stalling(content: bytes, after: int) -> Answer:
    """A server that sends some bytes and then nothing, and keeps the connection open."""

    def answer(call: Call) -> None:
        call.send(200, content[:after], Content_Length=len(content))
        call.wfile.flush()
        call.room.stopping.wait()

    return answer


def trickling(content: bytes, between: float) -> Answer:
    """A server that sends byte by byte, with a wait (s) between them."""

    def answer(call: Call) -> None:
        begin = call.begin or 0
        call.send(206 if begin else 200, b"", Content_Length=len(content) - begin,
                  **({"Content_Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}))  # fmt: skip
        for number in range(begin, len(content)):
            call.wfile.write(content[number : number + 1])
            call.wfile.flush()
            if call.room.stopping.wait(between):
                return

    return answer


def raw(answer_bytes: bytes) -> Answer:
    """A server that violates HTTP."""
    return lambda call: call.wfile.write(answer_bytes)


@dataclass
class Gate:
    """An answer that stops after some bytes: `reached` is set then, and `open` releases the rest."""

    content: bytes
    after: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: Call) -> None:
        call.send(200, self.content[: self.after], Content_Length=len(self.content))
        call.wfile.flush()
        self.reached.set()
        while not self.open.wait(0.02) and not call.room.stopping.is_set():
            pass
        call.wfile.write(self.content[self.after :])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that stops with the test; it also acts as the proxy and refuses all other hosts."""
    room = Server()
    monkeypatch.setenv("CK_DOWNLOAD_TIMEOUT", str(PATIENCE))  # slow answers on a busy machine are no hang
    for name, value in (("https_proxy", room.url), ("no_proxy", "127.0.0.1")):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)
    yield room
    room.stop()

"""Serve a folder over HTTP on this machine's loopback: ``file_server.py FOLDER MB_A_SECOND``; prints its address.

All connections together get that many megabytes a second, as on a line of that speed; 0 is no limit. The server ends
when its stdin is closed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 1 << 18  # bytes; what a connection may send before it waits for its next share
_LATE = 0.2  # s; what was not sent while a connection waited is made up for within this time


class Line:
    """The line that all connections share."""

    def __init__(self, rate: float) -> None:
        self._rate, self._free, self._lock = rate, 0.0, threading.Lock()

    def wait(self, size: int) -> None:
        """Wait until as many bytes may be sent."""
        if self._rate:
            with self._lock:
                now = time.monotonic()
                self._free = max(self._free, now - _LATE) + size / self._rate
                pause = self._free - now
            time.sleep(max(pause, 0.0))


class Handler(SimpleHTTPRequestHandler):
    """Sends files in pieces, from the kernel's own buffers."""

    def __init__(self, line: Line, *rest: Any, **more: Any) -> None:
        self._line = line
        super().__init__(*rest, **more)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file."""
        at, size = 0, os.fstat(source.fileno()).st_size
        outputfile.flush()
        while at < size:
            self._line.wait(min(_PIECE, size - at))
            at += os.sendfile(self.connection.fileno(), source.fileno(), at, min(_PIECE, size - at))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def main() -> None:
    line = Line(float(sys.argv[2]) * 1e6)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, line, directory=sys.argv[1]))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

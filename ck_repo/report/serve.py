"""Serve a site on this machine, and update it when there are new experiments."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.report.site import write_site
from ck_repo.session import Session
from ck_repo.store.entry import META
from ck_repo.store.search import find

_STATE = "/state"  # URL that the page polls; it reloads when the answer changes


class Keeper:
    """Keeps a site up to date; concurrent requests write it once."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._written = self._state()

    def state(self) -> str:
        """The state of the experiments; if it has changed, the site is written first."""
        with self._lock:
            now = self._state()
            if now != self._written:
                write_site(Session(), self._folder)
                self._written = now
            return now

    @staticmethod
    def _state() -> str:
        entries = find(Session().repositories, "experiment")
        files = [entry.path / META for entry in entries]
        times = [path.stat().st_mtime_ns for path in files if path.exists()]
        return f"{len(entries)}-{max(times, default=0)}"


class _Handler(http.server.SimpleHTTPRequestHandler):
    keeper: Keeper

    def do_GET(self) -> None:
        if self.path == _STATE:
            content = self.keeper.state().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Do not log requests."""


def server_of(folder: Path, port: int = 0) -> http.server.ThreadingHTTPServer:
    """A server for a site on the loopback interface.

    Parameters
    ----------
    port
        0 for any free one.

    Raises
    ------
    OSError
        If the port is taken.
    """
    keeper = Keeper(folder)
    handler = type("Handler", (_Handler,), {"keeper": keeper})
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), lambda *arguments: handler(*arguments, directory=str(folder)))


def serve(folder: Path, port: int = 0, *, show: bool = False) -> None:
    """Serve a site until the user interrupts it."""
    import webbrowser

    with server_of(folder, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/index.html"
        progress.say(f"serving {folder} at {address}; press Ctrl-C to stop")
        if show:
            webbrowser.open(address)
        server.serve_forever()

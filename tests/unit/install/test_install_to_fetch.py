"""The size is reported before a download: from the recipe, or from the server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from patience import PATIENCE

from ck_repo.install import http_request
from ck_repo.install.to_fetch import ToFetch, fetch_lines, readable, to_fetch
from ck_repo.machine.survey import survey
from ck_repo.network import scope
from ck_repo.resolve.plan import Choice
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session

if TYPE_CHECKING:
    from unit.install.conftest import Shelf

CONTENT = b"w" * 12_345


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Report nothing."""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with one file."""
    monkeypatch.setenv("CK_DOWNLOAD_TIMEOUT", str(PATIENCE))
    monkeypatch.setattr(http_request, "_SIZE_TIMEOUT", PATIENCE)
    (tmp_path / "served").mkdir()
    (tmp_path / "served/weights.bin").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "served"))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/weights.bin"
        server.shutdown()
        thread.join()


@pytest.fixture
def choices(url: str, shelf: Shelf) -> dict[str, Choice]:
    digest = hashlib.sha256(CONTENT).hexdigest()
    shelf.package("model-a", {"download": {"url": url, "sha256": digest}}, file="weights.bin", tags=["model", "a"])
    found = Resolver(survey(Session())).resolve("package:model-a")
    return {found.name: found}


def test_size_comes_from_server_if_recipe_has_none(choices: dict[str, Choice]) -> None:
    assert to_fetch(choices) == [ToFetch("weights.bin", None)]
    assert to_fetch(choices, ask=True) == [ToFetch("weights.bin", len(CONTENT))]
    assert fetch_lines(choices, ask=True) == ["to download: 12.3 kB (weights.bin 12.3 kB)"]
    assert fetch_lines(choices) == ["to download: 1 file of unknown size (weights.bin)"]


def test_offline_asks_no_server(choices: dict[str, Choice]) -> None:
    with scope(offline=True):
        assert to_fetch(choices, ask=True) == [ToFetch("weights.bin", None)]


def test_cached_file_is_not_fetched(choices: dict[str, Choice], shelf: Shelf) -> None:
    shelf.install("model-a")
    assert to_fetch(choices, ask=True) == []
    assert fetch_lines(choices) == []


@pytest.mark.parametrize(("size", "text"), [(999, "999 B"), (76_541_073, "76.5 MB"), (1_068_492_871, "1.07 GB")])
def test_human_readable_size(size: int, text: str) -> None:
    assert readable(size) == text

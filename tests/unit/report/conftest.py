"""Experiments to report, and a browser for the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from report_experiments import Made, make
from report_visits import Visit

from ck_repo.store.entry import Entry

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = os.environ.get("CK_SCREENSHOTS", "")  # read before the fixture that clears CK's variables


@pytest.fixture
def experiment(tmp_path: Path) -> Callable[..., Entry]:
    """Make experiments."""
    return lambda **about: make(tmp_path, Made(**about))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser without a window; the test is skipped where none is installed."""
    program = next((path for name in BROWSERS if (path := shutil.which(name))), "")
    if not program:
        pytest.skip(f"no browser is installed ({', '.join(BROWSERS)}); .ci/run installs Debian's chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        # the sandbox needs user namespaces, which containers and root often do not have; the pages are ours, without network
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=PATIENCE * 1e3)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Open a page from disk. Requests for anything but files are recorded; a screenshot is saved to CK_SCREENSHOTS."""
    contexts = []

    def open_page(path: Path, width: int = 1280, scheme: str = "light") -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1e3)  # ms; of every call that waits for the browser
        page = context.new_page()
        found = Visit(page, [], [])
        page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("() => window.ckReady")
        if folder := SCREENSHOTS:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{path.parent.name}-{path.stem}-{width}-{scheme}.png", full_page=True)
        return found

    yield open_page
    for context in contexts:
        context.close()

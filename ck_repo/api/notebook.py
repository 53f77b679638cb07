"""Progress in a notebook: one self-updating line with a bar for each step."""

from __future__ import annotations

import time
from html import escape

from IPython.display import DisplayHandle, display

from ck_repo.cli.progress import amount_text
from ck_repo.progress import Task

_AFTER = 0.3  # s; shorter steps show nothing
_EVERY = 0.2  # s between updates


class NotebookSink:
    """Shows progress below the running cell."""

    def begin(self, title: str, total: float | None, unit: str) -> Task:
        """Begin a step."""
        return _Line(title, total, unit)

    def say(self, text: str) -> None:
        """Print a message."""
        print(text, flush=True)


class _Line:
    def __init__(self, title: str, total: float | None, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._begun = self._shown = time.monotonic()
        self._handle: DisplayHandle | None = None

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        self._total = total or self._total
        now = time.monotonic()
        if now - self._shown < (_EVERY if self._handle else _AFTER):
            return
        self._shown = now
        of = f" of {amount_text(self._total, self._unit)}" if self._total else ""
        text = f"{self._title}: {amount_text(done, self._unit)}{of}{', ' + note if note else ''}"
        value = f' value="{min(done / self._total, 1):.3f}"' if self._total else ""
        self._put(text, f"<progress{value}></progress> {escape(text)}")

    def close(self) -> None:
        if self._handle:
            text = f"{self._title}: {time.monotonic() - self._begun:.0f} s"
            self._put(text, escape(text))

    def _put(self, text: str, html: str) -> None:
        content = {"text/plain": text, "text/html": html}
        if self._handle:
            self._handle.update(content, raw=True)
        else:
            self._handle = display(content, raw=True, display_id=True)

"""Progress as lines of JSON on stdout; the engine shows them as a bar."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_lock = threading.Lock()


def report(title: str, done: float, total: float | None, unit: str = "", note: str = "") -> None:
    """Report the progress of a step.

    Parameters
    ----------
    done, total
        In `unit`; a total of None is unknown.
    unit
        ``B`` for bytes, or a plural such as ``images``.
    note
        Shown behind the numbers.
    """
    row = {"progress": title, "done": done, "total": total, "unit": unit} | ({"note": note} if note else {})
    with _lock:
        print(json.dumps(row), flush=True)


def say(text: str) -> None:
    """Print a message for the user."""
    with _lock:
        print(json.dumps({"say": text}), flush=True)


class Throttle:
    """Passes on at most one report in an interval, and the last; with `late` nothing before the end of the first interval."""

    def __init__(self, title: str, total: float, unit: str, every: float = 0.5, *, late: bool = False) -> None:
        self._title, self._total, self._unit, self._every = title, total, unit, every
        self._last = time.monotonic() if late else 0.0
        self._silent = late

    def __call__(self, done: float) -> None:
        now = time.monotonic()
        if now - self._last >= self._every or (done >= self._total and not self._silent):
            self._last, self._silent = now, False
            report(self._title, done, self._total, self._unit)


@contextmanager
def watched(title: str, total: float, unit: str, done: Callable[[], float], note: Callable[[], str] = str) -> Iterator[None]:
    """Report progress once a second during the block, and the total at its end.

    Parameters
    ----------
    done
        Called in a thread of its own; returns the progress, in `unit`.
    note
        The same for the note.
    """
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(1.0):
            report(title, min(done(), total), total, unit, note())

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        report(title, total, total, unit)

"""How far a long step has come. Any room reports here; the command line decides how it is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ck_repo.printable import printable


class Task(Protocol):
    """One step that is under way."""

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how much is done, in the unit of the task; the total may become known, or grow, on the way."""

    def close(self) -> None:
        """The step is over, well or not."""


class Sink(Protocol):
    """Where progress goes."""

    def begin(self, title: str, total: float | None, unit: str) -> Task:
        """A step begins."""

    def say(self, text: str) -> None:
        """A line between the bars."""


class _Silent:
    def begin(self, title: str, total: float | None, unit: str) -> Task:
        return self

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        pass

    def close(self) -> None:
        pass

    def say(self, text: str) -> None:
        pass


SILENT: Sink = _Silent()
_sink: Sink = SILENT


def send_to(sink: Sink) -> None:
    """Show all progress from now on in `sink`."""
    global _sink
    _sink = sink


@contextmanager
def shown_in(sink: Sink) -> Iterator[None]:
    """Show all progress in `sink` until the block ends."""
    global _sink
    before, _sink = _sink, sink
    try:
        yield
    finally:
        _sink = before


@contextmanager
def task(title: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
    """A step with a title; `unit` is "B" for bytes, "s" for seconds, or a noun in the plural."""
    row = _sink.begin(title, total, unit)
    try:
        yield row
    finally:
        row.close()


def say(text: str, *, always: bool = False) -> None:
    """Show a line while a command runs.

    Parameters
    ----------
    always
        Show it on stderr where progress is not shown.
    """
    if always and _sink is SILENT:
        print(printable(text), file=sys.stderr, flush=True)
    else:
        _sink.say(text)


def warn(text: str) -> None:
    """Warn of a problem that does not stop the command; shown even where progress is not."""
    say(f"warning: {text}", always=True)

"""Progress of long steps. Every layer reports it here; the command line decides how to show it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ck_repo.printable import printable


class Task(Protocol):
    """A step in progress."""

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        """Report the amount done, in the unit of the task; the total may become known or grow later."""

    def close(self) -> None:
        """The step has ended, successfully or not."""


class Sink(Protocol):
    """Shows progress."""

    def begin(self, title: str, total: float | None, unit: str) -> Task:
        """Start a step."""

    def say(self, text: str) -> None:
        """Show a line between the bars."""


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
    """Show all further progress in `sink`."""
    global _sink
    _sink = sink


@contextmanager
def shown_in(sink: Sink) -> Iterator[None]:
    """Show all progress in `sink` during the block."""
    global _sink
    before, _sink = _sink, sink
    try:
        yield
    finally:
        _sink = before


@contextmanager
def task(title: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
    """A step with a title; `unit` is "B" for bytes, "s" for seconds, or a plural noun."""
    row = _sink.begin(title, total, unit)
    try:
        yield row
    finally:
        row.close()


def say(text: str, *, always: bool = False) -> None:
    """Show a message while a command runs.

    Parameters
    ----------
    always
        Print it on stderr where progress is not shown.
    """
    if always and _sink is SILENT:
        print(printable(text), file=sys.stderr, flush=True)
    else:
        _sink.say(text)


def warn(text: str) -> None:
    """Warn of a problem that does not stop the command, even where progress is not shown."""
    say(f"warning: {text}", always=True)

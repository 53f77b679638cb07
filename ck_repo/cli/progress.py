"""Progress on the console: bars on a terminal, otherwise occasional lines; always on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ck_repo.printable import printable
from ck_repo.progress import Sink, Task

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_QUIET_FOR = 2.0  # s; shorter steps print nothing
_EVERY = 10.0  # s between lines


def console_sink() -> Sink:
    """Bars where stderr is a terminal, lines elsewhere."""
    return _Bars() if sys.stderr.isatty() else _Lines()


def amount_text(value: float, unit: str) -> str:
    """An amount with its unit, bytes in MB."""
    if unit == "B":
        return f"{value / 1e6:.1f} MB"
    return f"{value:.0f} {unit}".rstrip()


class _Lines:
    def begin(self, title: str, total: float | None, unit: str) -> Task:
        return _LineTask(title, total, unit)

    def say(self, text: str) -> None:
        print(printable(text), file=sys.stderr, flush=True)


class _LineTask:
    def __init__(self, title: str, total: float | None, unit: str) -> None:
        self._title, self._total, self._unit = printable(title), total, unit
        self._begun = time.monotonic()
        self._told = self._begun + _QUIET_FOR - _EVERY
        self._spoke = False

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        self._total = total or self._total
        now = time.monotonic()
        if now - self._told < _EVERY:
            return
        self._told, self._spoke = now, True
        of = f" of {amount_text(self._total, self._unit)}" if self._total else ""
        more = f", {printable(note)}" if note else ""
        if self._total and 0 < done < self._total:
            left = (now - self._begun) * (self._total - done) / done
            more += f", about {left:.0f} s left" if left >= 1 else ""
        print(f"{self._title}: {amount_text(done, self._unit)}{of}{more}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._spoke:
            print(f"{self._title}: {time.monotonic() - self._begun:.0f} s", file=sys.stderr, flush=True)


class _Bars:
    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._running = 0

    def begin(self, title: str, total: float | None, unit: str) -> Task:
        return _Bar(self, title, total, unit)

    def shown(self) -> Progress:
        """The live display, started with the first bar and stopped after the last."""
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(),
                TextColumn("{task.fields[amount]}", markup=False), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._progress.start()
        self._running += 1
        return self._progress

    def done(self) -> None:
        """Remove a finished bar."""
        self._running -= 1
        if self._progress and not self._running:
            self._progress.stop()
            self._progress = None

    def say(self, text: str) -> None:
        if self._progress:
            self._progress.console.print(printable(text), markup=False, highlight=False)
        else:
            print(printable(text), file=sys.stderr, flush=True)


class _Bar:
    def __init__(self, bars: _Bars, title: str, total: float | None, unit: str) -> None:
        self._bars, self._title, self._total, self._unit = bars, printable(title), total, unit
        self._begun = time.monotonic()
        self._display: Progress | None = None
        self._id: TaskID | None = None

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        self._total = total or self._total
        amount = amount_text(done, self._unit) + (f" of {amount_text(self._total, self._unit)}" if self._total else "")
        if note:
            amount += f", {printable(note)}"
        if self._display is None or self._id is None:
            if time.monotonic() - self._begun < 0.3:  # a short step shows no bar
                return
            self._display = self._bars.shown()
            self._id = self._display.add_task(self._title, total=self._total, amount=amount)
        self._display.update(self._id, completed=done, total=self._total, amount=amount)

    def close(self) -> None:
        if self._display is not None and self._id is not None:
            self._display.remove_task(self._id)
            self._bars.done()
            self._display = None

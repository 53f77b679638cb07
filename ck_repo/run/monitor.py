"""The machine over the time of a run: a look a second, written into the run folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ck_repo.machine.usage import Gauge

FILE = "machine.jsonl"
_EVERY = 1.0  # s
_MOST = 20_000  # looks; a longer run is looked at less often from then on
_LATER = 60.0  # s


class Monitor:
    """Writes what the machine is doing, at most once a second, whenever it is called.

    Parameters
    ----------
    clock
        Says when a second is over: a clock that is never set back.
    """

    def __init__(self, folder: Path, gauge: Gauge | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._gauge, self._clock = folder / FILE, gauge or Gauge(), clock
        self._next, self._count = float("-inf"), 0

    def __call__(self) -> None:
        """Look, if it is time to."""
        now = self._clock()
        if now < self._next:
            return
        self._count += 1
        self._next = now + (_EVERY if self._count < _MOST else _LATER)
        row = {"at": round(time.time(), 3)} | {
            key: value for key, value in asdict(self._gauge.read()).items() if value is not None
        }
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

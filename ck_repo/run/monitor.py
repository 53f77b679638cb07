"""Record the machine's load during a run: one sample in each second, written into the run folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ck_repo.machine.usage import Gauge

FILE = "machine.jsonl"
_EVERY = 1.0  # s
_MAXIMUM = 20_000  # maximum samples; after that the interval is doubled
_LATER = 60.0  # s


class Monitor:
    """Writes a sample of the machine's load at most once in a second, whenever it is called.

    Parameters
    ----------
    clock
        Limits the rate, with a monotonic clock.
    """

    def __init__(self, folder: Path, gauge: Gauge | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._gauge, self._clock = folder / FILE, gauge or Gauge(), clock
        self._next, self._count = float("-inf"), 0

    def __call__(self) -> None:
        """Take a sample, if it is time."""
        now = self._clock()
        if now < self._next:
            return
        self._count += 1
        self._next = now + (_EVERY if self._count < _MAXIMUM else _LATER)
        row = {"at": round(time.time(), 3)} | {
            key: value for key, value in asdict(self._gauge.read()).items() if value is not None
        }
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

"""Detect hanging runs: a session takes too long for a batch.

The harness writes the current batch of each session into a file (`object_detection/asked.py`). The engine reads it, because a
backend that crashes or holds the interpreter's lock cannot report anything itself.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ck_repo.errors import OverTimeError, RunError, UsageError

VARIABLE = "CK_ANSWER_TIMEOUT"
_FILE = "asked.txt"
_FIRST = 300.0  # s for each image before the first answer: the first run may compile the model
_MINIMUM = 60.0  # minimum s for a batch
_TIMES = 20  # maximum ratio to the slowest image so far
_LOADING = 1800.0  # s; frameworks for accelerators may compile a model for minutes


@dataclass(frozen=True)
class Running:
    """The current or last batch of a session.

    Attributes
    ----------
    since
        When the batch started, s of the monotonic clock; 0 while the session is idle.
    slowest
        The slowest time so far, s for each image; 0 before the first answer.
    sample, images
        Index of the batch's first sample, -1 while the model is loaded; number of images.
    name
        File name of the first sample's image.
    """

    since: float
    slowest: float
    sample: int
    images: int
    name: str

    @property
    def is_loading(self) -> bool:
        """Whether it is loading its model."""
        return self.sample < 0

    def __str__(self) -> str:
        first = f"sample {self.sample} ({self.name})"
        return first if self.images == 1 else f"a batch of {self.images} samples, the first {first}"


def read_running(folder: Path) -> list[Running]:
    """The current batches of a run's sessions; a line that is being written is skipped."""
    try:
        lines = (folder / _FILE).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            since, slowest, sample, images, name = line.split(" ", 4)
            found.append(Running(float(since), float(slowest), int(sample), int(images), str(json.loads(name))))
        except ValueError:
            continue
    return found


def patience() -> float | None:
    """The user's time limit for a batch, s; infinite for 0; None for the default rule."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UsageError(f"{VARIABLE}={text} is not a number of seconds", hint=f"{VARIABLE}=600 waits ten minutes, 0 forever")
    return seconds or math.inf


def allowed(running: Running, slowest: float, fixed: float | None = None) -> float:
    """The time limit of a session, s.

    For a batch the maximum of 60 s and 20 times the slowest image so far, for each image of the batch; before the first answer
    300 s for each image. For loading the model 1800 s, or the user's limit if that is longer.

    >>> allowed(Running(1.0, 0.0, 7, 4, "a.jpg"), slowest=2.0)
    160.0

    Parameters
    ----------
    slowest
        The slowest image of any batch so far, s; 0 before the first answer.
    fixed
        The user's limit for a batch, s.
    """
    if running.is_loading:
        return max(_LOADING, fixed or 0.0)
    if fixed is not None:
        return fixed
    return max(_MINIMUM, _TIMES * slowest * running.images) if slowest else _FIRST * running.images


def overdue(rows: Sequence[Running], now: float, fixed: float | None = None) -> Running | None:
    """The session that exceeds its limit most; None if there is none.

    Parameters
    ----------
    now
        `time.monotonic()`, s.
    fixed
        The user's limit for a batch, s.
    """
    slowest = max((row.slowest for row in rows), default=0.0)
    late = [row for row in rows if row.since and now - row.since > allowed(row, slowest, fixed)]
    return min(late, key=lambda row: row.since, default=None)


class Watchdog:
    """Raises when a run hangs.

    Parameters
    ----------
    folder
        The run folder.
    backend
        Name of the backend, for the message.
    limit
        Time limit of the run, s; None for no limit.
    """

    def __init__(self, folder: Path, backend: str, limit: float | None = None) -> None:
        self._folder, self._backend = folder, backend
        self._fixed = patience()
        self._limit, self._begun = limit, time.monotonic()

    def __call__(self) -> None:
        """Check once.

        Raises
        ------
        OverTimeError
            If the run exceeds its time limit.
        RunError
            If a batch exceeds its time limit.
        """
        now = time.monotonic()
        if self._limit is not None and now - self._begun > self._limit:
            raise OverTimeError(f"the run was ended after its limit of {self._limit:.4g} s", hint="increase the limit")
        late = overdue(read_running(self._folder), now, self._fixed)
        if late is None:
            return
        began = time.strftime("%H:%M:%S", time.localtime(time.time() - (now - late.since)))
        what = "loaded the model" if late.is_loading else f"answered {late}"
        raise RunError(
            f"the backend {self._backend} has not {what} for {now - late.since:.0f} s, since {began}: the run was ended",
            hint=f"set {VARIABLE}=SECONDS in the environment to allow more time for a batch, {VARIABLE}=0 for no limit",
            log=self._folder / "stderr.log",
        )

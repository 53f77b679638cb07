"""Find a run that hangs: a session that has been at a batch for too long.

The harness writes what each of its sessions runs into a file (`object_detection/asked.py`). The engine reads it, as a backend
that holds the interpreter's lock, or crashes, cannot say anything itself.
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
_FIRST = 300.0  # s an image, as long as nothing is answered: the first run may compile the model
_LEAST = 60.0  # s a batch
_TIMES = 20  # as slow as the slowest so far
_LOADING = 1800.0  # s; frameworks for accelerators may compile a model for minutes


@dataclass(frozen=True)
class Asked:
    """What a session is running, or ran last.

    Attributes
    ----------
    since
        When the batch began, s of the monotonic clock; 0 while the session is idle.
    slowest
        The slowest time so far, s an image; 0 while nothing is answered.
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
        """Whether it loads its model."""
        return self.sample < 0

    def __str__(self) -> str:
        first = f"sample {self.sample} ({self.name})"
        return first if self.images == 1 else f"a batch of {self.images} samples, the first {first}"


def read_asked(folder: Path) -> list[Asked]:
    """What the sessions of a run are at; a line that is being written at the moment is left out."""
    try:
        lines = (folder / _FILE).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            since, slowest, sample, images, name = line.split(" ", 4)
            found.append(Asked(float(since), float(slowest), int(sample), int(images), str(json.loads(name))))
        except ValueError:
            continue
    return found


def patience() -> float | None:
    """Seconds that a batch may take, where the user sets them; infinite for 0; None leaves them to the rule."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UsageError(f"{VARIABLE}={text} is not a number of seconds", hint=f"{VARIABLE}=600 waits ten minutes, 0 for ever")
    return seconds or math.inf


def allowed(asked: Asked, slowest: float, fixed: float | None = None) -> float:
    """Seconds that a session may take.

    For a batch the maximum of 60 s and 20 times the slowest image so far, for each image of the batch; before the first answer
    300 s an image. For loading the model 1800 s, which what the user sets leaves as it is unless it is longer.

    >>> allowed(Asked(1.0, 0.0, 7, 4, "a.jpg"), slowest=2.0)
    160.0
    """
    if asked.is_loading:
        return max(_LOADING, fixed or 0.0)
    if fixed is not None:
        return fixed
    return max(_LEAST, _TIMES * slowest * asked.images) if slowest else _FIRST * asked.images


def overdue(rows: Sequence[Asked], now: float, fixed: float | None = None) -> Asked | None:
    """The session that is most behind its time; None if all are within it."""
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
        Seconds that the whole run may take; None for any.
    """

    def __init__(self, folder: Path, backend: str, limit: float | None = None) -> None:
        self._folder, self._backend = folder, backend
        self._fixed = patience()
        self._limit, self._begun = limit, time.monotonic()

    def __call__(self) -> None:
        """Look once.

        Raises
        ------
        OverTimeError
            If the run takes longer than its limit.
        RunError
            If a batch takes longer than it may.
        """
        now = time.monotonic()
        if self._limit is not None and now - self._begun > self._limit:
            raise OverTimeError(f"the run was ended after its limit of {self._limit:.4g} s", hint="give it more time")
        late = overdue(read_asked(self._folder), now, self._fixed)
        if late is None:
            return
        begun = time.strftime("%H:%M:%S", time.localtime(time.time() - (now - late.since)))
        what = "loaded the model" if late.is_loading else f"answered {late}"
        raise RunError(
            f"the backend {self._backend} has not {what} for {now - late.since:.0f} s, since {begun}: the run was ended",
            hint=f"{VARIABLE}=SECONDS in the environment lets a batch take longer, {VARIABLE}=0 any time",
            log=self._folder / "stderr.log",
        )

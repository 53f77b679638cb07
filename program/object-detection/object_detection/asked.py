"""What each session is running: a small file beside the spec that survives a crash, and that can be read at any time.

The engine reads it to find a run that hangs, and to say which sample a framework crashed on. One line a session, of `_WIDTH`
bytes: when its batch began (s of the system's monotonic clock; 0 while it is idle), the slowest time so far (s an image), index
of the batch's first sample, number of images, and the sample's name as JSON. The index is -1 while the model is being loaded.
"""

from __future__ import annotations

import json
import mmap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "asked.txt"
_WIDTH = 512
_LONGEST_NAME = 60  # characters, of which JSON makes at most six bytes each
_TIMES = b"%019.6f %019.6f "
_IDLE = _TIMES % (0.0, 0.0)


class Slot:
    """The line of one session.

    Parameters
    ----------
    memory
        The mapped file; None for a session that nobody watches.
    """

    def __init__(self, memory: mmap.mmap | None = None, number: int = 0) -> None:
        self._memory, self._at = memory, number * _WIDTH
        self._since = self._slowest = 0.0
        self._images = 1

    def begin(self, index: int, images: int, name: str) -> None:
        """A batch begins."""
        self._since, self._images = time.monotonic(), images
        if self._memory is not None:
            text = json.dumps(name[:_LONGEST_NAME]).encode()
            line = _TIMES % (self._since, self._slowest) + b"%d %d " % (index, images) + text
            self._memory[self._at : self._at + _WIDTH] = line.ljust(_WIDTH - 1) + b"\n"

    @contextmanager
    def loading(self) -> Iterator[None]:
        """The session's model is loaded by the body."""
        self.begin(-1, 1, "")
        yield
        if self._memory is not None:
            self._memory[self._at : self._at + len(_IDLE)] = _IDLE

    def end(self) -> None:
        """The batch is answered."""
        self._slowest = max(self._slowest, (time.monotonic() - self._since) / self._images)
        if self._memory is not None:
            self._memory[self._at : self._at + len(_IDLE)] = _TIMES % (0.0, self._slowest)


class Board:
    """The lines of all sessions.

    Parameters
    ----------
    folder
        The run folder.
    sessions
        The most that run side by side.
    """

    def __init__(self, folder: Path, sessions: int) -> None:
        self._path = folder / NAME
        blank = (_IDLE + b'-1 0 ""').ljust(_WIDTH - 1) + b"\n"
        self._path.write_bytes(blank * sessions)  # written, not only reserved: a map of a full disk would end in a bus error
        with open(self._path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def slot(self, number: int) -> Slot:
        """The line of a session; teams of sessions that do not run at the same time share lines."""
        return Slot(self._memory, number)

    def remove(self) -> None:
        """Remove the file; what is still mapped is read by nobody."""
        self._path.unlink(missing_ok=True)

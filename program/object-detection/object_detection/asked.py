"""The current batch of each session, in a small file next to the spec that survives a crash and can be read at any time.

The engine reads it to detect hanging runs, and to report the sample on which a framework crashed. Each session has a line of
`_WIDTH` bytes: start of its batch (s of the system's monotonic clock; 0 while it is idle), the slowest time so far (s for each
image), index of the batch's first sample, number of images, and the sample's name as JSON. The index is -1 while the model is
being loaded.
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
_LONGEST_NAME = 60  # maximum characters, each of which has at most six bytes in JSON
_TIMES = b"%019.6f %019.6f "
_LINE = _TIMES + b"%d %d %b"
_IDLE = _TIMES % (0.0, 0.0)


class Slot:
    """The line of one session.

    Parameters
    ----------
    memory
        The mapped file; None for a session that is not watched.
    """

    def __init__(self, memory: mmap.mmap | None = None, number: int = 0) -> None:
        self._memory, self._at = memory, number * _WIDTH
        self._since = self._slowest = 0.0
        self._images = 1
        self._names: dict[str, bytes] = {}

    def begin(self, index: int, images: int, name: str) -> None:
        """Record the start of a batch.

        Parameters
        ----------
        index
            Index of its first sample; -1 while the model is being loaded.
        images
            Number of images, by which the time of the batch is divided.
        name
            File name of the first sample, of which 60 characters are kept.
        """
        self._since, self._images = time.monotonic(), images
        if self._memory is not None:
            text = self._names.get(name)
            if text is None:
                text = self._names[name] = json.dumps(name[:_LONGEST_NAME]).encode()
            line = _LINE % (self._since, self._slowest, index, images, text)
            self._memory[self._at : self._at + _WIDTH] = line.ljust(_WIDTH - 1) + b"\n"

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Record that the block loads the session's model."""
        self.begin(-1, 1, "")
        yield
        if self._memory is not None:
            self._memory[self._at : self._at + len(_IDLE)] = _IDLE

    def end(self) -> None:
        """Record the end of the batch."""
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
        Maximum number of parallel sessions; 0 for the board of another process in that folder.
    """

    def __init__(self, folder: Path, sessions: int) -> None:
        self._path = folder / NAME
        if sessions:
            blank = (_IDLE + b'-1 0 ""').ljust(_WIDTH - 1) + b"\n"
            # write the file instead of only reserving space: mapping it on a full disk would end in a bus error
            self._path.write_bytes(blank * sessions)
        with open(self._path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def slot(self, number: int) -> Slot:
        """The line of a session; teams of sessions that do not run at the same time share lines."""
        return Slot(self._memory, number)

    def remove(self) -> None:
        """Remove the file; existing mappings are no longer read."""
        self._path.unlink(missing_ok=True)

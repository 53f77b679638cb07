"""One file on its way from one URL: what every way of fetching has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class Transfer(ABC):
    """A file on its way from one URL into the file `part`.

    Attributes
    ----------
    resumable
        Whether a later command can resume it.
    pieces
        From how many answers the file was put together.
    sha256
        Of the file, if it was computed while the file came.
    """

    resumable = False
    pieces = 1
    sha256 = ""

    def __init__(self, part: Path) -> None:
        self.part = part

    @abstractmethod
    def fetch(self) -> None:
        """Try once.

        Raises
        ------
        TransientError
            If this attempt failed, and another one may not.
        PermanentError
            If the URL fails whenever it is tried.
        """

    def have(self) -> int:
        """How many bytes were received."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        """Remove the received part."""
        self.part.unlink(missing_ok=True)

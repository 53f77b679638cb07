"""Base class of file transfers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class Transfer(ABC):
    """The transfer of a file from one URL into the file `part`.

    Attributes
    ----------
    resumable
        Whether a later command can resume it.
    pieces
        The number of responses that the file was joined from.
    sha256
        Of the file, if it was computed during the download.
    """

    resumable = False
    pieces = 1
    sha256 = ""

    def __init__(self, part: Path) -> None:
        self.part = part

    @abstractmethod
    def fetch(self) -> None:
        """Make one attempt.

        Raises
        ------
        TransientError
            If this attempt failed, but another may succeed.
        PermanentError
            If all attempts for the URL fail.
        """

    def have(self) -> int:
        """The number of received bytes."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        """Remove the received part."""
        self.part.unlink(missing_ok=True)

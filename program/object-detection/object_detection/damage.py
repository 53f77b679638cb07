"""Images that are damaged in the middle: the decoders fill in something and only print a warning to stderr."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_SIGNS = (b"Corrupt JPEG", b"Premature end of JPEG", b"Invalid JPEG", b"libpng error", b"libpng warning: IDAT")
_one_at_a_time = threading.Lock()


class Complaints:
    """What was written to stderr while it was watched."""

    text = b""

    @property
    def of_a_decoder(self) -> bool:
        """Whether a decoder complained."""
        return any(sign in self.text for sign in _SIGNS)


@contextmanager
def stderr_watched(*, pass_on: bool = True) -> Iterator[Complaints]:
    """Collect what native code writes to stderr while the body runs; without `pass_on` it is not shown."""
    found = Complaints()
    with _one_at_a_time, tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        own = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield found
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)
            file.seek(0)
            found.text = file.read()
            if pass_on and found.text:
                with suppress(OSError):
                    os.write(2, found.text)


def damaged(paths: Sequence[Path], decode: Callable[[Path], object]) -> dict[str, str]:
    """Decode images one by one and return what the decoder says of those that are damaged, by the file's name.

    Only worth its time after `stderr_watched` caught a complaint: which of several threads it came from is not known then.
    """
    found = {}
    for path in paths:
        with stderr_watched(pass_on=False) as complaints:
            decode(path)
        if complaints.of_a_decoder:
            found[path.name] = complaints.text.decode(errors="replace").strip().splitlines()[0]
    return found


def remark(found: dict[str, str]) -> str:
    """The damaged images in a sentence; empty if there are none."""
    if not found:
        return ""
    name, why = next(iter(sorted(found.items())))
    count = f"{len(found)} images are damaged, the first {name}" if len(found) > 1 else f"the image {name} is damaged"
    return f"{count}: {why}"

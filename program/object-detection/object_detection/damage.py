"""Detect damaged images: decoders fill in missing parts and only print a warning to stderr."""

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
    """The output to stderr."""

    text = b""

    @property
    def of_a_decoder(self) -> bool:
        """Whether a decoder complained."""
        return any(sign in self.text for sign in _SIGNS)


@contextmanager
def stderr_watched(*, pass_on: bool = True) -> Iterator[Complaints]:
    """Capture what native code writes to stderr during the block; without `pass_on` it is not printed."""
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
    """Decode images one by one and return the decoder's messages about damaged ones, by file name.

    This is only done after `stderr_watched` captured a message, because it is not known which thread it came from.

    Parameters
    ----------
    decode
        Decodes a file.
    """
    found = {}
    for path in paths:
        with stderr_watched(pass_on=False) as complaints:
            decode(path)
        if complaints.of_a_decoder:
            found[path.name] = complaints.text.decode(errors="replace").strip().splitlines()[0]
    return found


def remark(found: dict[str, str]) -> str:
    """A sentence about the damaged images; empty if there are none."""
    if not found:
        return ""
    name, why = next(iter(sorted(found.items())))
    count = f"{len(found)} images are damaged, the first {name}" if len(found) > 1 else f"the image {name} is damaged"
    return f"{count}: {why}"

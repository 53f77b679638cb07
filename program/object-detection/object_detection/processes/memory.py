"""Memory that several processes use: the images that LoadGen loaded, and the answers."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from struct import Struct

import numpy as np
import numpy.typing as npt

from object_detection.backends import Array
from object_detection.errors import HarnessError
from object_detection.placement import free_memory

_ZEROS = 1 << 20  # bytes written at once where the system cannot reserve space
ALIGNED = 64  # bytes: arrays begin at multiples, as instructions for vectors prefer it


class Memory:
    """A piece of memory without a name, which ends with the last process that has it.

    Parameters
    ----------
    folder
        For the file where the system has no anonymous ones; None for the memory of another process.
    descriptor
        That of the other process's memory, which this process has inherited.
    """

    def __init__(self, folder: Path | None, descriptor: int = -1) -> None:
        self.descriptor = _new(folder) if folder else descriptor
        self.size = 0
        self._map: mmap.mmap | None = None

    def grow(self, size: int, what: str) -> None:
        """Reserve memory: up to `size` bytes in all.

        Parameters
        ----------
        what
            For a message: what it is for.

        Raises
        ------
        HarnessError
            If the system does not have so much.
        """
        if size <= self.size:
            return
        free = free_memory()
        try:
            if free is not None and size - self.size > free:
                raise MemoryError
            _reserve(self.descriptor, self.size, size)
            self.attach(size)
        except (OSError, ValueError, MemoryError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "not enough memory"
            raise HarnessError(
                f"{size / 1e6:.0f} MB of memory that processes share cannot be reserved for {what}: {why}",
                "free some memory, or use one process: --processes=1",
            ) from error

    def attach(self, size: int) -> None:
        """Use the first bytes, which are reserved. Arrays of before stay where they are."""
        if size > self.size:
            self._map = mmap.mmap(self.descriptor, size)
            self.size = size

    def array(self, offset: int, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array in the memory."""
        assert self._map is not None
        found: Array = np.ndarray(tuple(shape), dtype, buffer=self._map, offset=offset)
        return found

    def put(self, offset: int, content: bytes) -> None:
        """Copy bytes into the memory."""
        assert self._map is not None
        self._map[offset : offset + len(content)] = content

    def put_numbers(self, offset: int, numbers: Sequence[int]) -> None:
        """Write unsigned numbers of 32 bits."""
        assert self._map is not None
        _numbers(len(numbers)).pack_into(self._map, offset, *numbers)

    def numbers(self, offset: int, count: int) -> tuple[int, ...]:
        """Read unsigned numbers of 32 bits."""
        assert self._map is not None
        return _numbers(count).unpack_from(self._map, offset)

    @property
    def address(self) -> int:
        """Of the first byte in this process."""
        return int(self.array(0, (1,), np.uint8).__array_interface__["data"][0])


@cache
def _numbers(count: int) -> Struct:
    return Struct(f"={count}I")


def _new(folder: Path) -> int:
    """An empty file without a name, in memory if the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("object_detection")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.dup(file.fileno())


def _reserve(descriptor: int, old: int, new: int) -> None:
    """Make a file longer. Space is reserved at once: using memory that is missing would end in a bus error."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, old, new - old)
        return
    os.lseek(descriptor, old, os.SEEK_SET)
    for at in range(old, new, _ZEROS):
        os.write(descriptor, bytes(min(_ZEROS, new - at)))

"""Images that LoadGen has loaded, in memory that all processes use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from object_detection.annotations import read_images
from object_detection.backends import Array
from object_detection.frame import Frame, frame_of
from object_detection.image_cache import ImageCache
from object_detection.processes.memory import ALIGNED, Memory
from object_detection.processes.messages import LOADED, UNLOADED, json_message
from object_detection.spec import Spec
from object_detection.sut.library import SampleLibrary


class SharedImages:
    """Puts images into memory and tells the other processes where; see `object_detection.sut.library.Store`.

    Parameters
    ----------
    memory
        Which the other processes have, too.
    tell
        Sends a message to all of them.
    """

    def __init__(self, memory: Memory, tell: Callable[[bytes], None]) -> None:
        self._memory, self._tell = memory, tell
        self._blocks: dict[int, tuple[int, set[int]]] = {}  # by first byte: the end, and the samples in it

    def keep(self, indices: Sequence[int], inputs: Sequence[Array]) -> list[Array]:
        """Copy images into memory; the arrays there."""
        if not indices:
            return []
        sizes = [-(-each.nbytes // ALIGNED) * ALIGNED for each in inputs]
        begin = self._gap(sum(sizes))
        self._memory.grow(begin + sum(sizes), "images")
        self._blocks[begin] = (begin + sum(sizes), set(indices))
        found, places = [], []
        for index, image, size in zip(indices, inputs, sizes, strict=True):
            there = self._memory.array(begin, image.shape, image.dtype)
            there[...] = image
            found.append(there)
            places.append([index, begin, image.shape, image.dtype.str])
            begin += size
        self._tell(json_message(LOADED, {"size": self._memory.size, "places": places}))
        return found

    def drop(self, indices: Sequence[int]) -> None:
        """Use the memory of some images for others, once those beside them are dropped, too."""
        gone = set(indices)
        for begin, (_, samples) in list(self._blocks.items()):
            samples -= gone
            if not samples:
                del self._blocks[begin]
        self._tell(json_message(UNLOADED, list(indices)))

    def _gap(self, size: int) -> int:
        """The first byte of free memory of a size, which may be beyond the end."""
        at = 0
        for begin, (end, _) in sorted(self._blocks.items()):
            if begin - at >= size:
                break
            at = end
        return at


class LoadedElsewhere(SampleLibrary):
    """The samples that another process has loaded."""

    def __init__(self, cache: ImageCache, memory: Memory) -> None:
        super().__init__(cache)
        self._memory = memory

    def loaded_at(self, size: int, places: Sequence[Any]) -> None:
        """Samples are in memory, of which `size` bytes are in use: index, first byte, shape and type of each."""
        self._memory.attach(size)
        for index, offset, shape, dtype in places:
            self._loaded[index] = self._memory.array(offset, shape, dtype)


class ListedImages(ImageCache):
    """Names and sizes of the images, without the images; those that are asked for are made.

    Parameters
    ----------
    names
        File names.
    sizes
        (width, height) in pixels.
    """

    def __init__(self, spec: Spec, names: Sequence[str], sizes: Sequence[tuple[int, int]]) -> None:
        self._spec, self._names, self._sizes = spec, names, sizes
        self._made: ImageCache | None = None
        self._making = threading.Lock()
        self.damaged: dict[str, str] = {}

    def load(self, indices: Sequence[int]) -> list[npt.NDArray[np.generic]]:
        """Inputs in memory of this process."""
        with self._making:
            if self._made is None:
                self._made = ImageCache(self._spec, read_images(self._spec.dataset, self._spec.count))
        return self._made.load(indices)

    def name(self, index: int) -> str:
        """The file name of an image."""
        return self._names[index]

    def frame(self, index: int) -> Frame:
        """The position of an image in its input."""
        width, height = self._sizes[index]
        return frame_of(self._spec.model, height, width)

"""The query sample library: the images that LoadGen has loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from object_detection.backends import Array
from object_detection.frame import Frame
from object_detection.image_cache import ImageCache

_AT_ONCE = 16  # samples copied into a store together: until then they are in memory twice


class Library(Protocol):
    """What LoadGen loads samples into."""

    def load(self, indices: Sequence[int]) -> None: ...

    def unload(self, indices: Sequence[int]) -> None: ...

    @property
    def loaded(self) -> list[int]: ...


class Store(Protocol):
    """Memory for inputs that other processes can read."""

    def keep(self, indices: Sequence[int], inputs: Sequence[Array]) -> Sequence[Array]:
        """Copy the inputs of some samples into the memory; they are used there."""

    def drop(self, indices: Sequence[int]) -> None:
        """The memory of some samples may be used for others."""


class SampleLibrary:
    """Inputs in memory, by sample index."""

    def __init__(self, cache: ImageCache) -> None:
        self._cache = cache
        self._loaded: dict[int, Array] = {}
        self._store: Store | None = None

    def share(self, store: Store | None) -> None:
        """Put the samples that are loaded from now on into a store, or no longer. None is loaded before the first store."""
        assert store is None or not self._loaded
        self._store = store

    def load(self, indices: Sequence[int]) -> None:
        """Load samples."""
        new = [index for index in indices if index not in self._loaded]
        if self._store is None:
            self._loaded.update(zip(new, self._cache.load(new), strict=True))
            return
        for first in range(0, len(new), _AT_ONCE):
            some = new[first : first + _AT_ONCE]
            self._loaded.update(zip(some, self._store.keep(some, self._cache.load(some)), strict=True))

    def unload(self, indices: Sequence[int]) -> None:
        """Unload samples."""
        gone = [index for index in indices if self._loaded.pop(index, None) is not None]
        if self._store is not None:
            self._store.drop(gone)

    def batch(self, indices: Sequence[int]) -> Array:
        """Inputs of some samples as one array."""
        if len(indices) == 1:
            return self._loaded[indices[0]][None]
        return np.stack([self._loaded[index] for index in indices])

    def frame(self, index: int) -> Frame:
        """The position of a sample's image in its input."""
        return self._cache.frame(index)

    def name(self, index: int) -> str:
        """The file name of a sample's image."""
        return self._cache.name(index)

    def label(self, index: int) -> str:
        """The name of a sample in messages."""
        return f"sample {index} ({self.name(index)})"

    @property
    def damaged(self) -> dict[str, str]:
        """The decoder's messages about damaged images, by their names."""
        return self._cache.damaged

    @property
    def loaded(self) -> list[int]:
        """Indices of the loaded samples, in the order of loading."""
        return list(self._loaded)

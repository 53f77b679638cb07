"""Preprocessed images: one memory-mapped array for each data set and profile, created once, in parallel."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.annotations import ImageList
from object_detection.damage import damaged, stderr_watched
from object_detection.errors import HarnessError
from object_detection.frame import Frame, frame_of
from object_detection.prepared import PreparedImages
from object_detection.preprocess import decode, input_of, pixels
from object_detection.progress import Throttle
from object_detection.spec import Spec

T = TypeVar("T")

_RECIPE = 2  # increase it when preprocessing changes
_AT_ONCE = 64  # images between two checks of the decoders' messages


class ImageCache:
    """Model inputs by sample index.

    uint8 inputs (270 kB for each image at 300 × 300) are stored on disk. float32 inputs (17.28 MB at 1200 × 1200) are computed
    when LoadGen loads them, outside the timed part: 5000 of them would take 86 GB.

    Attributes
    ----------
    damaged
        The decoder's messages about damaged images, by their names.
    """

    def __init__(self, spec: Spec, images: ImageList) -> None:
        self._spec, self._images = spec, images
        self._kept: npt.NDArray[np.uint8] | None = None
        self.damaged: dict[str, str] = {}
        cv2.setNumThreads(1)  # one image for each thread
        prepared = spec.dataset.preprocessed
        self._prepared = PreparedImages(prepared, spec.model) if prepared else None
        if self._prepared:
            self.damaged = self._prepared.damaged
        if spec.model.dtype == "uint8" and spec.model.size and not prepared:
            self._kept = self._open_or_make()

    def load(self, indices: Sequence[int]) -> list[npt.NDArray[np.generic]]:
        """Inputs in memory, one for each index."""
        if self._kept is not None:
            return [np.array(self._kept[index]) for index in indices]
        with ThreadPoolExecutor(_workers()) as pool:
            return list(pool.map(self._make, indices)) if self._prepared else self._decoded(pool, indices, self._make)

    def name(self, index: int) -> str:
        """The file name of an image."""
        return self._images.paths[index].name

    def _decoded(self, pool: ThreadPoolExecutor, indices: Sequence[int], make: Callable[[int], T]) -> list[T]:
        """Decode images in parallel, each with `make`; damaged ones are recorded."""
        with stderr_watched() as complaints:
            found = list(pool.map(make, indices))
        if complaints.of_a_decoder:
            self.damaged |= damaged([self._images.paths[index] for index in indices], decode)
        return found

    def _make(self, index: int) -> npt.NDArray[np.generic]:
        if self._prepared:
            return self._prepared.load(self._images.samples[index])
        model = self._spec.model
        image = pixels(self._images.paths[index])
        if not model.is_plain:
            self._check_size(index, image)
        return input_of(image, model)

    def _check_size(self, index: int, image: npt.NDArray[np.uint8]) -> None:
        """Refuse an image that differs in size from the annotations, if boxes are converted back with that size."""
        width, height = self._images.sizes[index]
        if image.shape[:2] != (height, width):
            raise HarnessError(
                f"{self._images.paths[index]} has {image.shape[1]} × {image.shape[0]} pixels, and the annotations have "
                f"{width} × {height}",
                "correct width and height in the annotations, or rotate the image according to its EXIF orientation",
            )

    def frame(self, index: int) -> Frame:
        """The position of an image in its input."""
        width, height = self._images.sizes[index]
        return frame_of(self._spec.model, height, width)

    def _open_or_make(self) -> npt.NDArray[np.uint8] | None:
        model, images = self._spec.model, self._images
        assert model.size
        shape = (len(images), *((*model.size, 3) if model.layout == "NHWC" else (3, *model.size)))
        size: object = model.side or model.size
        recipe = [_RECIPE, cv2.__version__, self._spec.dataset.digest, len(images), size, model.scaling, model.layout]
        more = [model.resize, model.fill, model.placed, model.colour, *model.mean, *model.std]
        if more != ["stretch", 114, "centre", "rgb"]:
            recipe += more
        name = hashlib.sha256(repr(recipe).encode()).hexdigest()[:24]
        path = self._spec.cache / f"{name}.npy"
        if self._spec.part and not path.exists():  # it would be made of all images for the sake of a few
            return None
        self._spec.cache.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                self._fill(path, shape)
        self.damaged = _read_damaged(path)
        return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]

    def _fill(self, path: Path, shape: tuple[int, ...]) -> None:
        beside = path.with_suffix(".new")
        try:
            with open(beside, "wb") as file:
                self._write(file, shape)
            if self.damaged:
                _beside(path).write_text(json.dumps(self.damaged), encoding="utf-8")
            os.replace(beside, path)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise HarnessError(
                f"the pre-processed images cannot be stored in {path.parent}: {error.strerror}",
                f"make {math.prod(shape) / 1e6:.0f} MB available there" if full else "check its permissions and its disk",
            ) from error
        finally:
            beside.unlink(missing_ok=True)

    def _write(self, file: BinaryIO, shape: tuple[int, ...]) -> None:
        """Write all images as one array of NumPy's format; what is written goes to the disk while others are decoded.

        A memory map would take a page fault every 4 kB, and end in a bus error on a full disk.
        """
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start, bytes_each, writing = file.tell(), math.prod(shape[1:]), Lock()
        report = Throttle("pre-processing", len(self._images), "images")

        def store(index: int) -> None:
            made = np.ascontiguousarray(self._make(index))
            with writing:
                file.seek(start + index * bytes_each)
                file.write(made.data)

        with ThreadPoolExecutor(_workers()) as pool, ThreadPoolExecutor(1) as disk:
            flushed: list[Future[None]] = []
            for first in range(0, len(self._images), _AT_ONCE):
                indices = range(first, min(first + _AT_ONCE, len(self._images)))
                self._decoded(pool, indices, store)
                report(indices.stop)
                if all(before.done() for before in flushed):
                    flushed.append(disk.submit(os.fsync, file.fileno()))
            for before in flushed:
                before.result()
        file.flush()
        os.fsync(file.fileno())


def _beside(path: Path) -> Path:
    """The file with the names of the damaged images of a cache file."""
    return path.with_suffix(".damaged.json")


def _read_damaged(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(_beside(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock is released when its holder ends."""
    try:
        import fcntl
    except ImportError:  # without such locks, several processes may do the same work
        yield
        return
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""Parts of a prepared data set: what each holds, and how they become the files of the whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from object_detection.errors import HarnessError

RESIZED, DECODED = "resized", "decoded"
ARRAY, PIXELS, PLACES, DAMAGED = "images.npy", "pixels.bin", "places.json", "damaged.json"
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One of `count` parts of about the same size, each with images that follow one another.

    >>> [Part(index, 3).of([1, 2, 3, 4]) for index in range(3)]
    [[1], [2], [3, 4]]
    """

    index: int
    count: int

    def of(self, rows: Sequence[T]) -> list[T]:
        """The part of a list."""
        return list(rows[len(rows) * self.index // self.count : len(rows) * (self.index + 1) // self.count])


def read_part(text: str) -> Part:
    """Read ``INDEX/COUNT``; the index begins with 0."""
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise HarnessError(f"--only-part={text} is not INDEX/COUNT", "for example 0/4, the first of four")
    return Part(int(index), int(count))


def merge(folders: Sequence[Path], kind: str, images: int, output: Path) -> tuple[str, dict[str, str]]:
    """Write the file of all images from those of the parts, in their order.

    Returns
    -------
    file, hurt
        The name of the file, and the messages about damaged images by their names.

    Raises
    ------
    HarnessError
        If the parts do not have the images of the data set.
    """
    file = _merge_arrays(folders, images, output) if kind == RESIZED else _merge_pixels(folders, images, output)
    hurt: dict[str, str] = {}
    for folder in folders:
        if (folder / DAMAGED).is_file():
            hurt |= json.loads((folder / DAMAGED).read_text(encoding="utf-8"))
    return file, hurt


def _merge_arrays(folders: Sequence[Path], images: int, output: Path) -> str:
    arrays = [np.load(folder / ARRAY, mmap_mode="r") for folder in folders]
    _check(sum(map(len, arrays)), images)
    array = np.lib.format.open_memmap(output / ARRAY, mode="w+", dtype=np.uint8, shape=(images, *arrays[0].shape[1:]))
    at = 0
    for part in arrays:
        array[at : at + len(part)] = part
        at += len(part)
    array.flush()
    return ARRAY


def _merge_pixels(folders: Sequence[Path], images: int, output: Path) -> str:
    places: list[tuple[int, int, int]] = []
    with open(output / PIXELS, "wb") as file:
        for folder in folders:
            begin = file.tell()
            rows = json.loads((folder / PLACES).read_text(encoding="utf-8"))
            places += [(begin + at, height, width) for at, height, width in rows]
            with open(folder / PIXELS, "rb") as part:
                shutil.copyfileobj(part, file, 1 << 20)
    _check(len(places), images)
    (output / PLACES).write_text(json.dumps(places), encoding="utf-8")
    return PIXELS


def _check(found: int, images: int) -> None:
    if found != images:
        raise HarnessError(f"the parts have {found} images, and the data set {images}", "prepare the data set again")

"""Data sets with prepared images: written by a package's recipe, read by the harness.

There are two kinds. ``resized``: the inputs of models that take bytes, one array (images, side, side, 3), uint8. ``decoded``:
the images' own pixels, one after the other, with a table of positions and sizes; they are resized when they are loaded. A
float32 input of 1200 × 1200 takes 17.28 MB and cannot be stored as bytes without rounding; its decoded image takes about 0.9
MB, and gives exactly the same input.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.damage import damaged, remark, stderr_watched
from object_detection.datasets.coco import read_coco
from object_detection.datasets.place import Folder
from object_detection.datasets.truth import Image as Row
from object_detection.errors import HarnessError, errors_as_command
from object_detection.prepared_parts import ARRAY, DAMAGED, DECODED, PIXELS, PLACES, RESIZED, Part, merge, read_part
from object_detection.preprocess import decode, finished, input_of, pixels, square
from object_detection.progress import Throttle, say
from object_detection.spec import Model, Preprocessed

_SIDE_OF_BYTES = 300  # models of this side take bytes; those of 1200 float32
_AT_ONCE = 64  # images in memory during decoding
_SPARE = 1 << 26  # bytes of the disk that stay free
Image = npt.NDArray[np.generic]
T = TypeVar("T")


class PreparedImages:
    """The images of a prepared data set, by sample index.

    Attributes
    ----------
    damaged
        The decoder's messages about damaged images, by their names.
    """

    def __init__(self, prepared: Preprocessed, model: Model) -> None:
        self._prepared, self._model = prepared, model
        noted = prepared.file.parent / DAMAGED
        self.damaged: dict[str, str] = json.loads(noted.read_text(encoding="utf-8")) if noted.is_file() else {}
        if prepared.kind == RESIZED:
            if model.dtype != "uint8" or model.size != (prepared.side, prepared.side) or model.resize != "stretch":
                raise HarnessError(
                    f"the data set has images of {prepared.side} × {prepared.side} bytes; the model {model.name} expects "
                    f"{shown(model.size)} {model.dtype}{' of pixels that are not rounded' if model.dtype != 'uint8' else ''}",
                    "use the original data set, or one with side.1200",
                )
            self._array: npt.NDArray[np.uint8] = np.load(prepared.file, mmap_mode="r")
        else:
            self._places = json.loads((prepared.file.parent / PLACES).read_text(encoding="utf-8"))
            self._array = np.memmap(prepared.file, dtype=np.uint8, mode="r")

    def load(self, index: int) -> npt.NDArray[np.generic]:
        """An input."""
        model = self._model
        if self._prepared.kind == RESIZED:
            found = np.array(self._array[index])
            return finished(found, "none", model.layout, "uint8", colour=model.colour)
        begin, height, width = self._places[index]
        image = np.array(self._array[begin : begin + height * width * 3]).reshape(height, width, 3)
        return input_of(image, model, self._prepared.library)


def shown(size: tuple[int, int] | None) -> str:
    """The size of an input as text."""
    return f"{size[0]} × {size[1]}" if size else "images of any size,"


def chosen(rows: Sequence[T], part: str) -> list[T]:
    """Select a part of a list.

    Parameters
    ----------
    part
        ``full``, ``first.20`` or ``last.20``.

    Examples
    --------
    >>> chosen([1, 2, 3], "last.2")
    [2, 3]
    """
    which, _, count = part.partition(".")
    if which == "full":
        return list(rows)
    return list(rows[: int(count)] if which == "first" else rows[-int(count) :])


def prepare(
    images: Path,
    annotations: Path,
    part: str,
    side: int,
    library: str,
    output: Path,
    *,
    inside: bool = False,
    only: Part | None = None,
    made: Sequence[Path] = (),
) -> None:
    """Write the images, their annotations, and dataset.json, which describes them.

    Parameters
    ----------
    part
        ``full``, ``first.N`` or ``last.N``.
    side
        Side of the input, pixels: 300 stores resized images, any other side decoded ones.
    library
        ``opencv`` or ``pillow``.
    output
        An existing folder.
    inside
        Whether images are only searched below `images`.
    only
        Write the images of this part, and nothing else.
    made
        Folders of all parts, which have the images already.

    Raises
    ------
    HarnessError
        If an image is missing or cannot be decoded, or the disk has too little space.
    """
    folder = Folder(images, inside)
    truth = read_coco(annotations, folder)
    places = chosen(range(len(truth.images)), part)
    places = only.of(places) if only else places
    rows = [truth.images[place] for place in places]
    kind = RESIZED if side == _SIDE_OF_BYTES else DECODED
    needed = _bytes_needed(rows, kind, side)
    free = shutil.disk_usage(output).free
    say(f"{len(rows)} images will take {needed / 1e6:.0f} MB of the {free / 1e6:.0f} MB that are free in {output.parent}")
    if needed + _SPARE > free:
        raise HarnessError(
            f"{len(rows)} images take {needed / 1e6:.0f} MB, and {output.parent} has {free / 1e6:.0f} MB free",
            "free some space, set CK_TOOLS to another disk, or use fewer images: first.50",
        )
    paths = [path for row in rows if (path := folder.find(row.name))]
    if len(paths) < len(rows):
        missing = next(row.name for row in rows if not folder.find(row.name))
        raise HarnessError(f"{images} has no {missing}, which is listed in {annotations}", "register the data set again")
    cv2.setNumThreads(1)  # one image for each thread
    hurt: dict[str, str] = {}
    if made:
        file, hurt = merge(made, kind, len(rows), output)
    elif kind == RESIZED:
        file = _write_resized(paths, side, library, output, hurt)
    else:
        file = _write_decoded(paths, library, output, hurt)
    if hurt:
        say(remark(hurt))
        (output / DAMAGED).write_text(json.dumps(hurt), encoding="utf-8")
    if only:
        return
    truth.write_coco(output / "annotations.json", places)
    description = {
        "images": str(images),
        "annotations": "annotations.json",
        "count": len(rows),
        "preprocessed": {"file": file, "kind": kind, "side": side, "library": library},
    }
    (output / "dataset.json").write_text(json.dumps(description, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _bytes_needed(rows: Sequence[Row], kind: str, side: int) -> int:
    return sum(3 * (side * side if kind == RESIZED else row.width * row.height) for row in rows)


def _made(
    pool: ThreadPoolExecutor, make: Callable[[Path], Image], paths: Sequence[Path], library: str, hurt: dict[str, str]
) -> list[Image]:
    """Images of some files; damaged ones are added to `hurt`. OpenCV also checks Pillow's, which prints no warnings."""
    with stderr_watched() as complaints:
        found = list(pool.map(make, paths))
        if library != "opencv":
            list(pool.map(decode, paths))
    if complaints.of_a_decoder:
        hurt |= damaged(paths, decode)
    return found


def _write_resized(paths: Sequence[Path], side: int, library: str, output: Path, hurt: dict[str, str]) -> str:
    def make(path: Path) -> npt.NDArray[np.generic]:
        return finished(square(pixels(path, library), side, library), "none", "NHWC")

    report = Throttle("pre-processing", len(paths), "images")
    array = np.lib.format.open_memmap(output / ARRAY, mode="w+", dtype=np.uint8, shape=(len(paths), side, side, 3))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(paths), _AT_ONCE):
            for index, image in enumerate(_made(pool, make, paths[first : first + _AT_ONCE], library, hurt), first):
                array[index] = image
                report(index + 1)
    array.flush()
    return ARRAY


def _write_decoded(paths: Sequence[Path], library: str, output: Path, hurt: dict[str, str]) -> str:
    def make(path: Path) -> npt.NDArray[np.generic]:
        return pixels(path, library)

    report = Throttle("decoding", len(paths), "images")
    places, at = [], 0
    with open(output / PIXELS, "wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(paths), _AT_ONCE):
            for image in _made(pool, make, paths[first : first + _AT_ONCE], library, hurt):
                places.append((at, *image.shape[:2]))
                at += file.write(image.tobytes())
                report(len(places))
    (output / PLACES).write_text(json.dumps(places), encoding="utf-8")
    return PIXELS


def main() -> None:
    """The command line, for recipes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", type=json.loads, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--part", required=True)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--only-part", default="")
    parser.add_argument("--made-parts", type=Path, nargs="*", default=())
    given = parser.parse_args()
    images, annotations = given.base / given.dataset["images"], given.base / given.dataset["annotations"]
    with errors_as_command():
        inside = bool(given.dataset.get("inside"))
        only = read_part(given.only_part) if given.only_part else None
        prepare(
            images, annotations, given.part, given.side, given.library, given.output,
            inside=inside, only=only, made=given.made_parts,
        )  # fmt: skip


if __name__ == "__main__":
    main()

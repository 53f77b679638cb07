"""Check the files of a data set, and describe it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TypedDict

from object_detection.datasets.content import ENOUGH, sign_of
from object_detection.datasets.header import Header
from object_detection.datasets.image_files import Read, read_all, read_headers
from object_detection.datasets.place import below, parts
from object_detection.datasets.remarks import Remarks
from object_detection.datasets.source import Source
from object_detection.datasets.truth import Identity, Image
from object_detection.errors import HarnessError
from object_detection.progress import Throttle

_LONGEST_SIDE = 1 << 20  # maximum pixels of a side in OpenCV
LARGEST_VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
_LONGEST_NAME = 300  # characters of a file name in an error
_SIZES = 5  # image sizes that are listed


def max_pixels() -> int:
    """The largest image that OpenCV decodes."""
    given = os.environ.get(LARGEST_VARIABLE, "")
    return int(given) if given.isdecimal() else 1 << 30


def too_large(path: Path, width: int, height: int) -> HarnessError:
    """The error for an image that OpenCV cannot decode.

    Parameters
    ----------
    width, height
        Pixels. The limits are `max_pixels` for their product, and OpenCV's own for a side.
    """
    return HarnessError(
        f"{path} has {width} × {height} pixels; OpenCV decodes at most {max_pixels()}, and {_LONGEST_SIDE} a side",
        f"scale it down, or increase {LARGEST_VARIABLE}",
    )


class Description(TypedDict):
    """What a data set contains; `sizes` has width, height and number of images of the most frequent sizes."""

    images: str
    annotations: str
    names: str
    count: int
    annotated: int
    boxes: int
    crowds: int
    categories: list[dict[str, Identity]]
    sizes: list[list[int]]
    kinds_of_size: int


class Checked(Description):
    """A data set with its files: images, their names below the image folder, and annotation files and folders.

    `digests` has the SHA-256 of the images, if requested.
    """

    files: list[str]
    archived: list[str]
    sources: list[str]
    remarks: list[str]
    digests: list[str]


class Located(TypedDict):
    """The images of a data set, empty where one is missing, and the ids in the annotations."""

    images: str
    files: list[str]
    image_ids: list[Identity]
    category_ids: list[Identity]


def check(source: Source, *, digests: bool = False) -> Checked:
    """Read every image's header, and describe the data set.

    Parameters
    ----------
    digests
        Whether the answer has the SHA-256 of every image, in their order.

    Raises
    ------
    HarnessError
        If images are missing, are not images, or differ in size from the annotations: their number, and the first.
    """
    remarks = Remarks()
    read = read_all if digests else read_headers
    files, sums = _check_images(source, remarks, read)
    return {
        **describe(source),
        "files": [str(path) for path in files],
        "archived": [below(source.images.path, path, row.name) for path, row in zip(files, source.truth.images, strict=True)],
        "sources": [str(path) for path in source.files],
        "remarks": [*source.truth.remarks, *remarks.sentences()],
        "digests": sums if digests else [],
    }


def located(source: Source) -> Located:
    """The files of the images in their order, empty where one is missing, and the ids as the annotations have them."""
    paths = [source.images.find(row.name) for row in source.truth.images]
    return {
        "images": str(source.images.path),
        "files": [str(path or "") for path in paths],
        "image_ids": [row.named for row in source.truth.images],
        "category_ids": [row.named for row in source.truth.categories],
    }


def describe(source: Source) -> Description:
    """Counts: images, boxes, categories, sizes."""
    truth = source.truth
    boxes = Counter(truth.boxes.category)
    sizes = Counter((row.width, row.height) for row in truth.images)
    return {
        "images": str(source.images.path),
        "annotations": str(source.annotations),
        "names": str(source.names or ""),
        "count": len(truth.images),
        "annotated": len(truth.annotated()),
        "boxes": len(truth.boxes),
        "crowds": sum(truth.boxes.crowd),
        "categories": [{"id": row.named, "name": row.name, "boxes": boxes[at]} for at, row in enumerate(truth.categories)],
        "sizes": [[*size, count] for size, count in sizes.most_common(_SIZES)],
        "kinds_of_size": len(sizes),
    }


def _check_images(source: Source, remarks: Remarks, read: Read) -> tuple[list[Path], list[str]]:
    """The files of the images, and their digests if `read` computes them."""
    truth = source.truth
    found: list[Path] = []
    digests: list[str] = []
    missing: list[str] = []
    unreadable: list[str] = []
    wrong: list[str] = []
    turned: list[str] = []
    report = Throttle(f"checking {source.images.path.name}", len(truth.images), "images", late=True)
    paths = [source.images.find(row.name) for row in truth.images]
    contents = read([path for path in paths if path])
    for done, (row, path) in enumerate(zip(truth.images, paths, strict=True), 1):
        if path is None:
            missing.append(row.name)
            continue
        found.append(path)
        if os.path.isabs(row.name) and path != Path(row.name):
            remarks.add("images whose file_name is a path that does not exist here, found in the folder of images", row.name)
        elif path.name != parts(row.name)[-1]:
            remarks.add("images whose file has another case or spelling than file_name", row.name)
        try:
            header, digest = next(contents)
        except OSError as error:
            raise HarnessError(f"{error.filename or path} cannot be read: {error.strerror}", "check its permissions") from None
        if header is None:
            unreadable.append(f"{row.name}{_what(path)}")
        elif header.width * header.height > max_pixels() or max(header.width, header.height) > _LONGEST_SIDE:
            raise too_large(path, header.width, header.height)
        else:
            _compare(row, header, wrong, turned, remarks)
        digests.append(digest)
        report(done)
    _refuse(source, missing, "do not exist", "copy them there, or give the folder that has them")
    _refuse(source, unreadable, "are not images (empty, truncated or of an unknown format)", "copy them again")
    _refuse(
        source,
        turned,
        "are annotated with width and height swapped, as their EXIF orientation turns them",
        "the stored pixels are used: rotate them and remove the orientation (`exiftran -a`, `jhead -autorot`), or annotate "
        "the images as they are stored",
    )
    _refuse(source, wrong, "have another size", "the annotations are for other versions of these images: use the right ones")
    return found, digests


def _what(path: Path) -> str:
    """What a file is that is not an image, in brackets."""
    with open(path, "rb") as file:
        what, todo = sign_of(file.read(ENOUGH))
    return f" ({what}: {todo})" if what else ""


def _compare(row: Image, header: Header, wrong: list[str], turned: list[str], remarks: Remarks) -> None:
    """Compare a header with the annotated size."""
    if not header.width:
        remarks.add("images of a format whose size is not checked", row.name)
    elif (header.width, header.height) != (row.width, row.height):
        swapped = (header.height, header.width) == (row.width, row.height)
        text = f"{row.name} is {header.width} × {header.height}, annotated as {row.width} × {row.height}"
        (turned if swapped and header.on_its_side else wrong).append(text)
    elif header.orientation != 1:
        remarks.add("images with an EXIF orientation, which is ignored: the stored pixels are used", row.name)


def _refuse(source: Source, names: list[str], what: str, hint: str) -> None:
    if names:
        raise HarnessError(
            f"{source.images.path}: {len(names)} of the {len(source.truth.images)} images that {source.annotations.name} names "
            f"{what}, the first: {names[0][:_LONGEST_NAME]}",
            hint,
        )

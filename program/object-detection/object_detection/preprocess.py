"""From an image file to a model's input, bit for bit as the reference does it.

Source: mlcommons/inference at v1.0.1, vision/classification_and_detection/python/dataset.py (`pre_process_coco_*`,
`maybe_resize`).
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.datasets.check import most_pixels, too_large
from object_detection.datasets.exif import without_orientation
from object_detection.datasets.header import read_header
from object_detection.errors import HarnessError

_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_TAIL = 4096  # bytes at a JPEG's end among which its end mark is nearly always
_MARK = re.compile(rb"\xff+[^\x00\xd0-\xd8\xff]", re.DOTALL)  # in a scan 00 stands for a byte of data, D0 to D7 for a restart
_END, _RESERVED = 0xD9, 0x01


def decode(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image as uint8 (height, width, 3), BGR; one that is empty, cut short or not an image is an error.

    The pixels are those that are stored: an EXIF orientation is ignored, as annotations are of the stored image.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}", "fetch the data set again") from error
    if not content:
        raise HarnessError(f"{path} is empty", "fetch the data set again")
    # OpenCV pads a JPEG that was cut short with grey and says nothing
    if content[:2] == b"\xff\xd8" and _is_cut_short(content):
        raise HarnessError(f"{path} is cut short: its end mark is missing", "fetch the data set again")
    if content[:2] in (b"II", b"MM"):
        content = without_orientation(content)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:  # an assertion about its size, no memory, or a fault of a decoder
        header = read_header(path)
        if header and header.width * header.height > most_pixels():
            raise too_large(path, header.width, header.height) from error
        size = f" of {header.width} × {header.height} pixels" if header and header.width else ""
        raise HarnessError(f"OpenCV cannot decode {path}{size}: {error.err or error}", "replace the image") from error
    if image is None:
        raise HarnessError(f"{path} is not an image that OpenCV can decode", "replace it")
    if image.dtype != np.uint8:
        raise HarnessError(f"{path} has pixels of {image.dtype}, which cannot be shown in 8 bits", "write it as a PNG")
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.asarray(image, dtype=np.uint8)


def _is_cut_short(content: bytes) -> bool:
    """Whether a JPEG file ends before its end mark. Cameras may add data behind the mark: a film, or further images."""
    # the mark is looked for behind the last scan, as a thumbnail among the metadata has one of its own
    scan = max(content.rfind(b"\xff\xda"), len(content) - _TAIL, 0)
    return b"\xff\xd9" not in content[scan:] and not _reaches_end_mark(content)


def _reaches_end_mark(content: bytes) -> bool:
    """Whether the segments and scans of a JPEG file, one after the other, lead to its end mark."""
    at = 2
    while found := _MARK.search(content, at):
        mark = content[found.end() - 1]
        if mark == _END:
            return True
        length = content[found.end() : found.end() + 2]
        at = found.end() + (int.from_bytes(length, "big") if mark != _RESERVED else 0)
    return False


def pixels(path: Path, library: str = "opencv") -> npt.NDArray[np.uint8]:
    """Decode an image: uint8 (height, width, 3), RGB. The libraries (``opencv``, ``pillow``) may differ by a step or two."""
    if library == "opencv":
        return np.asarray(cv2.cvtColor(decode(path), cv2.COLOR_BGR2RGB), dtype=np.uint8)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, UnidentifiedImageError) as error:
        raise HarnessError(f"{path} cannot be decoded by Pillow: {error}", "fetch the data set again") from error


def square(image: npt.NDArray[np.uint8], side: int, library: str = "opencv") -> npt.NDArray[np.float32]:
    """Scale RGB pixels to side × side (aspect not kept, bilinear): float32 (side, side, 3), 0 to 255.

    OpenCV computes in float, as the reference does; Pillow averages over what a pixel covers and answers whole numbers.
    """
    if library == "opencv":
        given = image.astype(np.float32)
        return np.asarray(cv2.resize(given, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    from PIL import Image

    scaled = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32)


def finished(image: npt.NDArray[np.float32], scaling: str, layout: str) -> npt.NDArray[np.generic]:
    """Squared pixels as a model takes them.

    Parameters
    ----------
    image
        (side, side, 3), RGB, 0 to 255.
    scaling
        ``none``: truncated to uint8. ``plus-minus-one``: (x - 127.5) / 127.5. ``imagenet``: mean and deviation of ImageNet.
    layout
        ``NHWC`` or ``NCHW``.

    Returns
    -------
    array
        (side, side, 3) or (3, side, side), uint8 or float32.
    """
    result: npt.NDArray[np.generic]
    if scaling == "none":
        result = image.astype(np.uint8)
    elif scaling == "plus-minus-one":
        result = (image - np.float32(127.5)) / np.float32(127.5)
    elif scaling == "imagenet":
        result = (image / np.float32(255.0) - _MEAN) / _DEVIATION
    else:
        raise HarnessError(f"scaling {scaling!r} is not known")
    return np.ascontiguousarray(result.transpose(2, 0, 1) if layout == "NCHW" else result)


def model_input(path: Path, side: int, scaling: str, layout: str) -> npt.NDArray[np.generic]:
    """An image file as a model takes it; see `finished`."""
    return finished(square(pixels(path), side), scaling, layout)

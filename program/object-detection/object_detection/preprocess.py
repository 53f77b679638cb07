"""Convert an image file to a model's input, bitwise equal to the reference.

Source: mlcommons/inference at v1.0.1, vision/classification_and_detection/python/dataset.py (`pre_process_coco_*`,
`maybe_resize`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.datasets.check import max_pixels, too_large
from object_detection.datasets.content import ENOUGH, sign_of
from object_detection.datasets.exif import without_orientation
from object_detection.datasets.header import read_header
from object_detection.errors import HarnessError
from object_detection.frame import frame_of, letterboxed
from object_detection.spec import Model

_TAIL = 4096  # bytes at the end of a JPEG that nearly always contain its end marker
_MARK = re.compile(rb"\xff+[^\x00\xd0-\xd8\xff]", re.DOTALL)  # in a scan 00 escapes a byte of data, D0 to D7 are restarts
_END, _RESERVED = 0xD9, 0x01
# (divisor, mean, standard deviation) by name
_SCALINGS: dict[str, tuple[float | None, Sequence[float], Sequence[float]]] = {
    "none": (None, (), ()),
    "unit": (255.0, (), ()),
    "plus-minus-one": (None, (127.5,), (127.5,)),
    "imagenet": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def decode(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image as uint8 (height, width, 3), BGR; empty, truncated and invalid ones are an error.

    The pixels are used as stored: EXIF orientation is ignored, because annotations refer to the stored image.

    Raises
    ------
    HarnessError
        If the file is missing, empty, truncated or not an image, or has more pixels than OpenCV decodes.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}", "download the data set again") from error
    if not content:
        raise HarnessError(f"{path} is empty", "download the data set again")
    # OpenCV silently fills truncated JPEGs with grey
    if content[:2] == b"\xff\xd8" and _is_cut_short(content):
        raise HarnessError(f"{path} is truncated: its end marker is missing", "download the data set again")
    if content[:2] in (b"II", b"MM"):
        content = without_orientation(content)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:  # an assertion about its size, no memory, or a bug in a decoder
        header = read_header(path)
        if header and header.width * header.height > max_pixels():
            raise too_large(path, header.width, header.height) from error
        size = f" of {header.width} × {header.height} pixels" if header and header.width else ""
        raise HarnessError(f"OpenCV cannot decode {path}{size}: {error.err or error}", "replace the image") from error
    if image is None:
        what, todo = sign_of(content[:ENOUGH])
        if not what and read_header(path):
            raise HarnessError(f"{path} is truncated or damaged: OpenCV cannot decode it", "download the data set again")
        is_not = f"{path} is not an image that OpenCV can decode"
        raise HarnessError(f"{is_not}: it is {what}" if what else is_not, todo or "replace it")
    if image.dtype != np.uint8:
        raise HarnessError(f"{path} has pixels of {image.dtype}, which is not supported", "write it as a PNG")
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.asarray(image, dtype=np.uint8)


def _is_cut_short(content: bytes) -> bool:
    """Whether a JPEG file ends before its end marker. Cameras may add data after the marker, such as videos or other images."""
    # search after the last scan, because thumbnails in the metadata have their own marker
    scan = max(content.rfind(b"\xff\xda"), len(content) - _TAIL, 0)
    return b"\xff\xd9" not in content[scan:] and not _reaches_end_mark(content)


def _reaches_end_mark(content: bytes) -> bool:
    """Whether the segments and scans of a JPEG file end with its end marker."""
    at = 2
    while found := _MARK.search(content, at):
        mark = content[found.end() - 1]
        if mark == _END:
            return True
        length = content[found.end() : found.end() + 2]
        at = found.end() + (int.from_bytes(length, "big") if mark != _RESERVED else 0)
    return False


def pixels(path: Path, library: str = "opencv") -> npt.NDArray[np.uint8]:
    """Decode an image as RGB.

    Parameters
    ----------
    library
        ``opencv`` or ``pillow``; their decoders may differ by one or two steps.

    Returns
    -------
    array
        uint8 (height, width, 3), RGB.

    Raises
    ------
    HarnessError
        If the image cannot be decoded.
    """
    if library == "opencv":
        return np.asarray(cv2.cvtColor(decode(path), cv2.COLOR_BGR2RGB), dtype=np.uint8)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, UnidentifiedImageError) as error:
        raise HarnessError(f"{path} cannot be decoded by Pillow: {error}", "download the data set again") from error


def square(image: npt.NDArray[np.uint8], side: int, library: str = "opencv") -> npt.NDArray[np.float32]:
    """Scale an image to a square; see `stretched`.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.
    side
        Pixels.
    library
        ``opencv`` or ``pillow``.

    Returns
    -------
    array
        float32 (side, side, 3), 0 to 255.
    """
    return stretched(image, (side, side), library)


def stretched(image: npt.NDArray[np.uint8], size: tuple[int, int], library: str = "opencv") -> npt.NDArray[np.float32]:
    """Scale an image bilinearly, without keeping its aspect ratio.

    OpenCV computes in float, as the reference does; Pillow averages over the covered pixels and returns integers.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.
    size
        Height and width of the result, pixels.
    library
        ``opencv`` or ``pillow``.

    Returns
    -------
    array
        float32 (height, width, 3), 0 to 255.
    """
    if library == "opencv":
        given = image.astype(np.float32)
        return np.asarray(cv2.resize(given, size[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    from PIL import Image

    scaled = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32)


def finished(
    image: npt.NDArray[np.generic],
    scaling: str,
    layout: str,
    dtype: str = "",
    *,
    colour: str = "rgb",
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> npt.NDArray[np.generic]:
    """Convert pixels in the size of the input to a model's input.

    Parameters
    ----------
    image
        (height, width, 3), RGB, 0 to 255.
    scaling
        ``none``: unchanged. ``unit``: x / 255. ``plus-minus-one``: (x - 127.5) / 127.5. ``imagenet``: x / 255 with mean and
        standard deviation of ImageNet.
    layout
        ``NHWC`` or ``NCHW``.
    dtype
        uint8 truncates. By default uint8 for unscaled pixels, and float32 otherwise.
    colour
        ``rgb`` or ``bgr``; `mean` and `std` are in the same order.
    mean, std
        Instead of those of the scaling, for each channel or for all.

    Returns
    -------
    array
        (height, width, 3) or (3, height, width).

    Raises
    ------
    HarnessError
        If the scaling is unknown.
    """
    if scaling not in _SCALINGS:
        raise HarnessError(f"scaling {scaling!r} is not known", f"known: {', '.join(_SCALINGS)}")
    divisor, own_mean, own_std = _SCALINGS[scaling]
    mean, std = mean or own_mean, std or own_std
    result: npt.NDArray[np.generic] = image if colour == "rgb" else image[..., ::-1]
    kind = np.dtype(dtype or ("uint8" if scaling == "none" and not (len(mean) or len(std)) else "float32"))
    if divisor or len(mean) or len(std):
        scaled = _scaled(result.astype(np.float32, copy=False), divisor, mean, std, layout)
        return np.ascontiguousarray(scaled.astype(kind, copy=False))
    return np.ascontiguousarray((result.transpose(2, 0, 1) if layout == "NCHW" else result).astype(kind, copy=False))


def _scaled(
    image: npt.NDArray[np.float32], divisor: float | None, mean: Sequence[float], std: Sequence[float], layout: str
) -> npt.NDArray[np.float32]:
    """Pixels (height, width, 3) divided, less the mean, over the standard deviation, in the layout.

    Each value is computed in float32 in that order, as if the constants were broadcast over the last axis. Long rows of one
    array in place of three values at a time take a tenth of the time.
    """
    height, width, channels = image.shape
    means, deviations = (np.broadcast_to(np.array(row, np.float32), channels) if len(row) else None for row in (mean, std))
    planes = layout == "NCHW"
    rows = list(np.moveaxis(image, 2, 0)) if planes else [image.reshape(height, width * channels)]
    made = np.empty((channels, height, width) if planes else (1, height, width * channels), np.float32)
    for number, (row, out) in enumerate(zip(rows, made, strict=True)):
        if divisor:
            np.divide(row, np.float32(divisor), out=out)
        else:
            np.copyto(out, row)
        for constants, apply in ((means, np.subtract), (deviations, np.divide)):
            if constants is not None:
                apply(out, constants[number] if planes else np.tile(constants, width), out=out)
    return made if planes else made.reshape(height, width, channels)


def input_of(image: npt.NDArray[np.uint8], model: Model, library: str = "opencv") -> npt.NDArray[np.generic]:
    """Convert a decoded image to a model's input.

    Parameters
    ----------
    image
        uint8 (height, width, 3), RGB.
    model
        Determines size, resizing, scaling, layout and type.
    library
        The library that scales: ``opencv`` or ``pillow``.

    Returns
    -------
    array
        (height, width, 3) or (3, height, width), of the model's type.
    """
    resized: npt.NDArray[np.generic]
    if model.size is None:
        resized = image
    elif model.resize == "stretch":
        resized = stretched(image, model.size, library)
    else:
        resized = letterboxed(image, frame_of(model, *image.shape[:2]), model.fill)
    return finished(resized, model.scaling, model.layout, model.dtype, colour=model.colour, mean=model.mean, std=model.std)


def model_input(path: Path, side: int, scaling: str, layout: str) -> npt.NDArray[np.generic]:
    """Convert an image file to the input of a model with a square input; see `finished`.

    Parameters
    ----------
    side
        Height and width of the input, pixels.
    scaling, layout
        As in `finished`.

    Raises
    ------
    HarnessError
        If the image cannot be decoded, or the scaling is unknown.
    """
    return finished(square(pixels(path), side), scaling, layout)

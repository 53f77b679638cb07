"""From an image file to a model's input, bit for bit as the reference does it.

Source: mlcommons/inference at v1.0.1, vision/classification_and_detection/python/dataset.py (`pre_process_coco_*`,
`maybe_resize`).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.errors import HarnessError

_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_TAIL = 4096  # bytes at a JPEG's end among which its end mark has to be


def decode(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image as uint8 (height, width, 3), BGR; one that is empty, cut short or no image is an error."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}", "fetch the data set again") from error
    if not content:
        raise HarnessError(f"{path} is empty", "fetch the data set again")
    # OpenCV pads a JPEG that was cut short with grey and says nothing
    # (the mark is looked for behind the last scan: a thumbnail among the metadata has one of its own)
    scan = max(content.rfind(b"\xff\xda"), len(content) - _TAIL, 0)
    if content[:2] == b"\xff\xd8" and b"\xff\xd9" not in content[scan:]:
        raise HarnessError(f"{path} is cut short: its end mark is missing", "fetch the data set again")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise HarnessError(f"{path} is no image that OpenCV can decode", "fetch the data set again")
    return np.asarray(image, dtype=np.uint8)


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

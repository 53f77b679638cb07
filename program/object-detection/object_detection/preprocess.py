"""From an image file to a model's input, bit for bit as the reference does it.

Source: mlcommons/inference at v1.0.1, vision/classification_and_detection/python/dataset.py (`pre_process_coco_*`,
`maybe_resize`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.errors import HarnessError
from object_detection.frame import frame_of, letterboxed
from object_detection.spec import Model

# (divisor, mean, standard deviation) by name
_SCALINGS: dict[str, tuple[float | None, Sequence[float], Sequence[float]]] = {
    "none": (None, (), ()),
    "unit": (255.0, (), ()),
    "plus-minus-one": (None, (127.5,), (127.5,)),
    "imagenet": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
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
    """Scale RGB pixels to side × side; see `stretched`."""
    return stretched(image, (side, side), library)


def stretched(image: npt.NDArray[np.uint8], size: tuple[int, int], library: str = "opencv") -> npt.NDArray[np.float32]:
    """Scale RGB pixels to height × width (aspect not kept, bilinear): float32 (height, width, 3), 0 to 255.

    OpenCV computes in float, as the reference does; Pillow averages over what a pixel covers and answers whole numbers.
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
    """Pixels in the size of the input as a model takes them.

    Parameters
    ----------
    image
        (height, width, 3), RGB, 0 to 255.
    scaling
        ``none``: as they are. ``unit``: x / 255. ``plus-minus-one``: (x - 127.5) / 127.5. ``imagenet``: x / 255 with mean and
        standard deviation of ImageNet.
    layout
        ``NHWC`` or ``NCHW``.
    dtype
        uint8 truncates. By default uint8 where the pixels are as they are, and float32 otherwise.
    colour
        ``rgb`` or ``bgr``; `mean` and `std` are in the same order.
    mean, std
        In place of those of the scaling, for each channel or for all.

    Returns
    -------
    array
        (height, width, 3) or (3, height, width).
    """
    if scaling not in _SCALINGS:
        raise HarnessError(f"scaling {scaling!r} is not known", f"known: {', '.join(_SCALINGS)}")
    divisor, own_mean, own_std = _SCALINGS[scaling]
    mean, std = mean or own_mean, std or own_std
    result: npt.NDArray[np.generic] = image if colour == "rgb" else image[..., ::-1]
    if divisor or len(mean) or len(std):
        values = result.astype(np.float32, copy=False)
        values = values / np.float32(divisor) if divisor else values
        values = values - np.array(mean, dtype=np.float32) if len(mean) else values
        result = values / np.array(std, dtype=np.float32) if len(std) else values
    kind = np.dtype(dtype or ("uint8" if scaling == "none" and not (len(mean) or len(std)) else "float32"))
    return np.ascontiguousarray((result.transpose(2, 0, 1) if layout == "NCHW" else result).astype(kind, copy=False))


def input_of(image: npt.NDArray[np.uint8], model: Model, library: str = "opencv") -> npt.NDArray[np.generic]:
    """RGB pixels of an image as a model takes them."""
    resized: npt.NDArray[np.generic]
    if model.size is None:
        resized = image
    elif model.resize == "stretch":
        resized = stretched(image, model.size, library)
    else:
        resized = letterboxed(image, frame_of(model, *image.shape[:2]), model.fill)
    return finished(resized, model.scaling, model.layout, model.dtype, colour=model.colour, mean=model.mean, std=model.std)


def model_input(path: Path, side: int, scaling: str, layout: str) -> npt.NDArray[np.generic]:
    """An image file as a model takes it; see `finished`."""
    return finished(square(pixels(path), side), scaling, layout)

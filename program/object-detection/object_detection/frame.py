"""The position of an image in a model's input, for resizing and for converting boxes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.spec import Model


@dataclass(frozen=True)
class Frame:
    """The position of an image in an input.

    Attributes
    ----------
    image
        Height and width of the image, pixels.
    input
        Height and width of the input, pixels.
    inside
        Height and width of the image in the input.
    offset
        Lines above it and columns left of it.
    scale
        Input pixels for each image pixel, vertically and horizontally.
    """

    image: tuple[int, int]
    input: tuple[int, int]
    inside: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    scale: tuple[float, float] = (1.0, 1.0)


def frame_of(model: Model, height: int, width: int) -> Frame:
    """The position of an image of that size in the model's input.

    ``stretch`` fills the input, ``letterbox`` keeps the aspect ratio and pads (positions and rounding are those of Ultralytics'
    LetterBox), and ``keep`` does not resize; an input of fixed size is then padded, and larger images are cropped.

    Parameters
    ----------
    height, width
        Of the image, pixels.
    """
    image = height, width
    if model.size is None:
        return Frame(image, image, image)
    rows, columns = model.size
    if model.resize == "stretch":
        return Frame(image, model.size, model.size, scale=(rows / height, columns / width))
    ratio = min(rows / height, columns / width) if model.resize == "letterbox" else 1.0
    inside = max(1, min(round(height * ratio), rows)), max(1, min(round(width * ratio), columns))
    offset = (0, 0)
    if model.placed == "centre" and model.resize == "letterbox":
        offset = round((rows - inside[0]) / 2 - 0.1), round((columns - inside[1]) / 2 - 0.1)
    return Frame(image, model.size, inside, offset, (ratio, ratio))


def letterboxed(image: npt.NDArray[np.uint8], frame: Frame, fill: int) -> npt.NDArray[np.uint8]:
    """Resize an image into its frame, and pad it.

    Parameters
    ----------
    image
        uint8 (height, width, 3).
    fill
        The value of padding pixels, 0 to 255.

    Returns
    -------
    array
        uint8 (height, width, 3), in the size of the input.
    """
    rows, columns = frame.inside
    scaled = image[:rows, :columns]
    if frame.scale != (1.0, 1.0):
        scaled = np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    result = np.full((*frame.input, 3), fill, dtype=np.uint8)
    top, left = frame.offset
    result[top : top + rows, left : left + columns] = scaled
    return result


def in_image(boxes: npt.NDArray[np.float32], frame: Frame, units: str) -> npt.NDArray[np.float32]:
    """Convert boxes from a model's input to the image.

    Parameters
    ----------
    boxes
        (n, 4): ymin, xmin, ymax, xmax.
    units
        Of `boxes`. ``unit``: 0 to 1 of the input. ``pixels``: of the input. ``image-pixels``: of the image.

    Returns
    -------
    array
        (n, 4): ymin, xmin, ymax, xmax, from 0 to 1 of the image.
    """
    pair = np.float32
    if units == "image-pixels":
        return np.asarray(boxes / np.array([*frame.image, *frame.image], dtype=pair), dtype=pair)
    spans = [size * scale for size, scale in zip(frame.image, frame.scale, strict=True)]
    # the image fills the input: not one of 63.5 pixels, rounded to 64, and not one that is cropped
    if units == "unit" and all(map(math.isclose, spans, frame.input)):
        return boxes
    pixels = np.asarray(boxes * np.array([*frame.input, *frame.input], dtype=pair)) if units == "unit" else boxes
    moved = pixels - np.array([*frame.offset, *frame.offset], dtype=pair)
    return np.asarray(moved / np.array([*spans, *spans], dtype=pair), dtype=pair)

"""The fields of a model's interface, declared once: profiles, packages, `ck detect` and `ck show model` all have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.errors import ConfigError, UsageError

FREE = "free"
BOXES_IN = ("yxyx", "xyxy", "xywh", "cxcywh")


@dataclass(frozen=True)
class InterfaceField:
    """A field.

    Attributes
    ----------
    kind
        ``text``, ``integer``, ``number``, ``numbers`` (one, or one for each channel), ``flag``, or ``side`` (an integer, or
        ``free``).
    choices
        The values that a text may have; any if empty.
    """

    name: str
    help: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    value: str = "…"


INPUT = (
    InterfaceField("input", "name of the input for images", value="NAME"),
    InterfaceField("side", "height and width of a square input, or `free`: each image keeps its own size", "side", value="N"),
    InterfaceField("height", "height of an input that is not square", "integer", value="N"),
    InterfaceField("width", "its width", "integer", value="N"),
    InterfaceField(
        "resize",
        "how an image gets the input's size: `stretch`; `letterbox` keeps the aspect and fills the rest; `keep` does not scale",
        choices=("stretch", "letterbox", "keep"),
    ),
    InterfaceField("fill", "grey value of the bars of a letterbox, 0–255", "integer", value="N"),
    InterfaceField("placed", "where the image lies in a letterbox", choices=("centre", "corner")),
    InterfaceField("colour", "order of the channels", choices=("rgb", "bgr")),
    InterfaceField(
        "scaling",
        "pixel values: `none` 0–255, `unit` x/255, `plus-minus-one` (x−127.5)/127.5, `imagenet` x/255 with its mean and std",
        choices=("none", "unit", "plus-minus-one", "imagenet"),
    ),
    InterfaceField(
        "mean", "subtracted after the scaling `none` or `unit`: one number, or one for each channel", "numbers", value="R,G,B"
    ),
    InterfaceField("std", "divided by after that", "numbers", value="R,G,B"),
    InterfaceField("layout", "order of the dimensions", choices=("NHWC", "NCHW")),
    InterfaceField("dtype", "type of the input", choices=("uint8", "float32", "float16")),
    InterfaceField("size_input", "name of a second input that takes width and height of the input", value="NAME"),
    InterfaceField("max_batch", "the largest batch; left out, that of the file", "integer", value="N"),
)
OUTPUTS = (
    InterfaceField(
        "boxes", "output with the boxes: NAME, #POSITION from 0, or NAME[0:4] for some of its columns", value="OUTPUT"
    ),
    InterfaceField("scores", "output with one score a box, or one for each class", value="OUTPUT"),
    InterfaceField("classes", "output with the classes; leave it out if the scores are one for each class", value="OUTPUT"),
    InterfaceField("count", "output with the number of detections", value="OUTPUT"),
    InterfaceField("objectness", "output by which the scores are multiplied", value="OUTPUT"),
    InterfaceField("image", "output with the position of each detection's image in the batch", value="OUTPUT"),
)
DECODING = (
    InterfaceField("transposed", "whether the outputs have a column for each box instead of a row", "flag"),
    InterfaceField("box_order", "numbers of a box: corners, corner and size, or centre and size", choices=BOXES_IN),
    InterfaceField(
        "box_units",
        "`unit`: 0–1 of the input; `pixels` of the input, as of a letterbox; `image-pixels`: of the image before resizing; "
        "`cells`: centre and logarithm of the size, in cells of grids on the input",
        choices=("unit", "pixels", "image-pixels", "cells"),
    ),
    InterfaceField("clip", "cut boxes at the ends of the image", "flag"),
    InterfaceField("scores_are", "what the scores still need", choices=("given", "sigmoid", "softmax")),
    InterfaceField("background", "where scores for each class have one of the background", choices=("none", "first", "last")),
    InterfaceField(
        "labels_per_box", "of scores for each class: the best class of a box, or every one", choices=("best", "all")
    ),
    InterfaceField(
        "classes_are",
        "`category`: ids of the annotations; `contiguous`: numbers from 1 in the order of the annotations' categories",
        choices=("category", "contiguous"),
    ),
    InterfaceField("class_offset", "added to the classes first: 1 where `contiguous` ones count from 0", "integer", value="N"),
    InterfaceField("score_above", "scores have to be above it", "number", value="X"),
    InterfaceField("nms", "non-maximum suppression: none, by class, or of all boxes", choices=("none", "class", "agnostic")),
    InterfaceField("nms_iou", "overlap from which the box with the lower score is dropped", "number", value="X"),
    InterfaceField("nms_candidates", "how many boxes, the best ones, go into the suppression", "integer", value="N"),
    InterfaceField("max_detections", "how many detections of an image are kept, the best ones", "integer", value="N"),
)
FIELDS = (*INPUT, *OUTPUTS, *DECODING)
_BY_NAME = {row.name: row for row in FIELDS}


def typed(name: str, value: Any) -> Any:
    """A value of a field with its type, from a file or from the command line.

    Raises
    ------
    ConfigError
        If it is not a value that the field may have.

    >>> typed("mean", "123.7,116.3,103.5")
    [123.7, 116.3, 103.5]
    """
    row = _BY_NAME[name]
    try:
        return _READERS[row.kind](value, row)
    except (TypeError, ValueError):
        wanted = {"side": "a number of pixels, or free", "numbers": "a number, or one for each of the 3 channels"}
        what = f"one of {', '.join(row.choices)}" if row.choices else wanted.get(row.kind, f"a valid {row.kind}")
        raise ConfigError(f"{name} of the model's interface is {value!r}, not {what}", hint=f"{name}: {row.help}") from None


def given_fields(options: Mapping[str, str]) -> dict[str, Any]:
    """The fields among the options of a command, with their types."""
    try:
        return {name: typed(name, value) for name, value in options.items() if name in _BY_NAME and value != ""}
    except ConfigError as error:
        raise UsageError(f"--{error.what}", hint=error.hint) from None


def _text(value: Any, row: InterfaceField) -> str:
    if not isinstance(value, str) or (row.choices and value not in row.choices):
        raise ValueError
    return value


def _integer(value: Any, row: InterfaceField) -> int | None:
    if value is None:
        return None
    number = int(value)
    if isinstance(value, bool) or number != float(value) or abs(number) > 10**6 or (row.name not in _SIGNED and number < 0):
        raise ValueError
    return number


def _side(value: Any, row: InterfaceField) -> int | None:
    number = None if value in (FREE, None) else _integer(value, row)
    if number == 0:
        raise ValueError
    return number


def _number(value: Any, row: InterfaceField) -> float | None:
    if value is None:
        return None
    number = float(value)
    if isinstance(value, bool) or not 0 <= number <= 1:
        raise ValueError
    return number


def _numbers(value: Any, row: InterfaceField) -> list[float]:
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    numbers = [float(part) for part in parts]
    if (
        len(numbers) not in (0, 1, 3)
        or not all(abs(number) < 1e9 for number in numbers)
        or (row.name == "std" and 0 in numbers)
    ):
        raise ValueError
    return numbers


def _flag(value: Any, row: InterfaceField) -> bool:
    word = str(value).lower()
    if word not in ("yes", "no", "true", "false"):
        raise ValueError
    return word in ("yes", "true")


_SIGNED = ("class_offset",)
_READERS = {
    "text": _text, "integer": _integer, "side": _side, "number": _number, "numbers": _numbers, "flag": _flag,
}  # fmt: skip

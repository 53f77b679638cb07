"""The fields of a model's interface, declared once for profiles, packages, `ck detect` and `ck show model`."""

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
        The allowed values of a text; any if empty.
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
        "how images are resized to the input: `stretch`; `letterbox` keeps the aspect ratio and pads; `keep` does not resize",
        choices=("stretch", "letterbox", "keep"),
    ),
    InterfaceField("fill", "grey value of a letterbox's padding, 0–255", "integer", value="N"),
    InterfaceField("placed", "position of the image in a letterbox", choices=("centre", "corner")),
    InterfaceField("colour", "order of the channels", choices=("rgb", "bgr")),
    InterfaceField(
        "scaling",
        "pixel values: `none` 0–255, `unit` x/255, `plus-minus-one` (x−127.5)/127.5, `imagenet` x/255 with its mean and std",
        choices=("none", "unit", "plus-minus-one", "imagenet"),
    ),
    InterfaceField(
        "mean", "subtracted after the scaling `none` or `unit`: one number, or one for each channel", "numbers", value="R,G,B"
    ),
    InterfaceField("std", "divisor after the subtraction", "numbers", value="R,G,B"),
    InterfaceField("layout", "order of the dimensions", choices=("NHWC", "NCHW")),
    InterfaceField("dtype", "type of the input", choices=("uint8", "float32", "float16")),
    InterfaceField("size_input", "name of a second input for width and height of the input", value="NAME"),
    InterfaceField("max_batch", "maximum batch size (default: that of the file)", "integer", value="N"),
)
OUTPUTS = (
    InterfaceField(
        "boxes", "output with the boxes: NAME, #POSITION from 0, or NAME[0:4] for a range of columns", value="OUTPUT"
    ),
    InterfaceField("scores", "output with one score for each box, or one for each class", value="OUTPUT"),
    InterfaceField("classes", "output with the classes; omit it if there is a score for each class", value="OUTPUT"),
    InterfaceField("count", "output with the number of detections", value="OUTPUT"),
    InterfaceField("objectness", "output that scores are multiplied by", value="OUTPUT"),
    InterfaceField("image", "output with the index of each detection's image in the batch", value="OUTPUT"),
)
DECODING = (
    InterfaceField("transposed", "whether the outputs have a column for each box instead of a line", "flag"),
    InterfaceField("box_order", "numbers of a box: corners, corner and size, or centre and size", choices=BOXES_IN),
    InterfaceField(
        "box_units",
        "`unit`: 0–1 of the input; `pixels` of the input, as of a letterbox; `image-pixels`: of the image before resizing; "
        "`cells`: centre and logarithm of the size, in cells of grids on the input",
        choices=("unit", "pixels", "image-pixels", "cells"),
    ),
    InterfaceField("clip", "clip boxes to the image", "flag"),
    InterfaceField("scores_are", "activation to apply to the scores", choices=("given", "sigmoid", "softmax")),
    InterfaceField("background", "position of the background in scores for each class", choices=("none", "first", "last")),
    InterfaceField("labels_per_box", "for scores of each class: use the best class of a box, or all", choices=("best", "all")),
    InterfaceField(
        "classes_are",
        "`category`: category ids of the annotations; `contiguous`: numbers from 1 in the order of the categories",
        choices=("category", "contiguous"),
    ),
    InterfaceField("class_offset", "added to the classes first: 1 if `contiguous` classes start at 0", "integer", value="N"),
    InterfaceField("score_above", "minimum score, exclusive", "number", value="X"),
    InterfaceField("nms", "non-maximum suppression: none, by class, or of all boxes", choices=("none", "class", "agnostic")),
    InterfaceField("nms_iou", "overlap above which the box with the lower score is dropped", "number", value="X"),
    InterfaceField("nms_candidates", "number of boxes with the highest scores before suppression", "integer", value="N"),
    InterfaceField("max_detections", "maximum number of detections of an image, best scores first", "integer", value="N"),
)
FIELDS = (*INPUT, *OUTPUTS, *DECODING)
_BY_NAME = {row.name: row for row in FIELDS}


def typed(name: str, value: Any) -> Any:
    """Convert a value of a field, from a file or from the command line, to its type.

    Raises
    ------
    ConfigError
        If the value is not allowed.

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


def given_fields(options: Mapping[str, str]) -> dict[str, object]:
    """The fields with their types, for the options of a command."""
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

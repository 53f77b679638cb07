"""Parse the tensor, or columns of a tensor, in a field of a model's interface.

``detection_boxes`` is an output, ``#2`` the third output, ``output0[0:4]`` its first four columns, ``output0[4]`` the fifth and
``output0[5:]`` all that follow. Columns are counted along the last axis.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from object_detection.backends import Array

_COLUMNS = re.compile(r"(?P<name>.+)\[(?P<first>\d+)?(?P<colon>:)?(?P<end>\d+)?\]")
_POSITION = re.compile(r"#(\d+)")


@dataclass(frozen=True)
class TensorName:
    """A tensor and its columns.

    Attributes
    ----------
    columns
        One column, a range of them, or None for the whole tensor.
    """

    name: str
    columns: int | slice | None = None

    def take(self, found: Array) -> Array:
        """The columns of the tensor."""
        return found if self.columns is None else found[..., self.columns]


def parse(text: str) -> TensorName:
    """Parse a field.

    >>> parse("output0[4:]")
    TensorName(name='output0', columns=slice(4, None, None))
    """
    match = _COLUMNS.fullmatch(text)
    if not match or (match["first"] is None and not match["colon"]):
        return TensorName(text)
    first, end = (None if match[key] is None else int(match[key]) for key in ("first", "end"))
    return TensorName(match["name"], slice(first, end) if match["colon"] else first)


def named(text: str, outputs: Sequence[str]) -> TensorName:
    """Parse a field; an index becomes the name of the output.

    Parameters
    ----------
    outputs
        Names of the model's outputs, in its order. An index that is too large stays as it is.

    Examples
    --------
    >>> named("#1[4:]", ["boxes", "scores"])
    TensorName(name='scores', columns=slice(4, None, None))
    """
    found = parse(text)
    position = _POSITION.fullmatch(found.name)
    if position and int(position[1]) < len(outputs):
        return TensorName(outputs[int(position[1])], found.columns)
    return found

"""The interface of a TFLite file, read from its FlatBuffer without a framework.

Field order: schema.fbs of TensorFlow Lite (Model, SubGraph, Tensor).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection, Sequence
from pathlib import Path

from ck_repo.errors import DetectError
from ck_repo.models.tensors import Interface, Tensor

_DTYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    5: "str",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
}
_DETECTION, _DETECTED = "TFLite_Detection_PostProcess", ("boxes", "classes", "scores", "count")
_MAX_TENSORS, _MAX_DIMENSIONS, _LONGEST_NAME = 1000, 32, 4096  # maximum bytes of a name


def read_tflite(path: Path) -> Interface:
    """Read a TFLite file's inputs and outputs.

    Raises
    ------
    DetectError
        If the file is empty, truncated or not a TFLite file.
    """
    size = path.stat().st_size
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            inputs, outputs, roles = _interface(data)
    except (struct.error, IndexError, ValueError, UnicodeDecodeError) as error:
        why = "it is empty" if not size else f"it is truncated or has another format ({error})"
        raise DetectError(f"{path} is not a TFLite model: {why}", hint="download or convert it again") from None
    if not inputs or not outputs:
        raise DetectError(f"{path} is not a TFLite model: it has no inputs or no outputs", hint="convert it again")
    return Interface(inputs, outputs, roles=roles)


def _interface(data: mmap.mmap) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], dict[str, str]]:
    if data[4:8] != b"TFL3":
        raise ValueError("it lacks the identifier TFL3")
    buffer = _Buffer(data)
    buffer.check_weights()
    graph = buffer.tables(buffer.number("<I", 0), 2, 1)[0]
    tensors = buffer.tables(graph, 0)
    buffer.check_tensors(tensors)

    def named(field: int) -> tuple[Tensor, ...]:
        """The tensors of an input or output list; others are not read, because many could share a long shape."""
        indices = buffer.numbers(graph, field, _MAX_TENSORS)
        if any(index < 0 for index in indices):
            raise ValueError("a tensor has a negative number")
        return tuple(_tensor(buffer, tensors[index]) for index in indices)

    inputs, outputs = named(1), named(2)
    return inputs, outputs, _roles(buffer, graph, tensors, {row.name for row in outputs})


def _roles(buffer: _Buffer, graph: int, tensors: Sequence[int], outputs: Collection[str]) -> dict[str, str]:
    """The roles of the detection operation's outputs, whatever their order and names; empty without that operation."""
    codes = buffer.tables(buffer.number("<I", 0), 1)
    for operator in buffer.tables(graph, 3):
        index = buffer.unsigned(operator, 0)
        if index >= len(codes) or buffer.text(codes[index], 1) != _DETECTION:
            continue
        made = buffer.numbers(operator, 2, _MAX_TENSORS)
        names = [buffer.text(tensors[each], 3) for each in made if 0 <= each < len(tensors)]
        if len(names) == len(_DETECTED) and set(names) <= set(outputs):
            return dict(zip(_DETECTED, names, strict=True))
    return {}


class _Buffer:
    """Tables and vectors of a FlatBuffer; struct checks every offset."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data

    def number(self, form: str, at: int) -> int:
        if at < 0:
            raise ValueError(f"an offset is negative: {at}")
        return int(struct.unpack_from(form, self._data, at)[0])

    def _field(self, table: int, index: int) -> int:
        """The position of a table's field; 0 if it is missing."""
        vtable = table - self.number("<i", table)
        if 4 + 2 * index >= self.number("<H", vtable):
            return 0
        offset = self.number("<H", vtable + 4 + 2 * index)
        return table + offset if offset else 0

    def _vector(self, table: int, index: int) -> tuple[int, int]:
        field = self._field(table, index)
        if not field:
            return 0, 0
        begin = field + self.number("<I", field)
        return begin + 4, self.number("<I", begin)

    def check_weights(self) -> None:
        """Refuse a file that is truncated within its weights."""
        for table in self.tables(self.number("<I", 0), 4):
            begin, count = self._vector(table, 0)
            if begin + count > len(self._data):
                raise ValueError(f"its weights end at byte {begin + count}, the file at {len(self._data)}")

    def check_tensors(self, tensors: Sequence[int]) -> None:
        """Refuse a file that is truncated within the shapes and names of its tensors."""
        for table in tensors:
            for index, size in ((0, 4), (3, 1)):
                begin, count = self._vector(table, index)
                if begin + size * count > len(self._data):
                    raise ValueError(f"a tensor ends at byte {begin + size * count}, the file at {len(self._data)}")

    def tables(self, table: int, index: int, maximum: int | None = None) -> list[int]:
        begin, count = self._vector(table, index)
        if begin + 4 * count > len(self._data):
            raise ValueError(f"a list of {count} tables at byte {begin} is longer than the file")
        places = range(begin, begin + 4 * count, 4)[:maximum]
        return [at + self.number("<I", at) for at in places]

    def numbers(self, table: int, index: int, maximum: int) -> list[int]:
        begin, count = self._vector(table, index)
        if count > maximum:
            raise ValueError(f"a list has {count} numbers; the maximum is {maximum}")
        return [self.number("<i", begin + 4 * position) for position in range(count)]

    def text(self, table: int, index: int) -> str:
        begin, count = self._vector(table, index)
        if count > _LONGEST_NAME:
            raise ValueError(f"a name has {count} bytes; the maximum is {_LONGEST_NAME}")
        return self._data[begin : begin + count].decode()

    def unsigned(self, table: int, index: int) -> int:
        field = self._field(table, index)
        return self.number("<I", field) if field else 0

    def byte(self, table: int, index: int) -> int:
        field = self._field(table, index)
        return self.number("<b", field) if field else 0


def _tensor(buffer: _Buffer, at: int) -> Tensor:
    kind = buffer.byte(at, 1)
    return Tensor(buffer.text(at, 3), _DTYPES.get(kind, f"type {kind}"), tuple(buffer.numbers(at, 0, _MAX_DIMENSIONS)))

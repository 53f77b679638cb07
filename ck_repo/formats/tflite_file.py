"""The interface of a TFLite file, read from its FlatBuffer without any framework.

Field order: schema.fbs of TensorFlow Lite (Model, SubGraph, Tensor).
"""

from __future__ import annotations

import struct
from pathlib import Path

from ck_repo.errors import DetectError
from ck_repo.formats.tensors import Interface, Tensor

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


def read_tflite(path: Path) -> Interface:
    """Read a TFLite file's inputs and outputs.

    Raises
    ------
    DetectError
        If the file is empty, cut short or no TFLite file.
    """
    data = path.read_bytes()
    try:
        if data[4:8] != b"TFL3":
            raise ValueError("it lacks the mark TFL3")
        buffer = _Buffer(data)
        buffer.check_weights()
        graph = buffer.tables(buffer.number("<I", 0), 2)[0]
        tensors = [_tensor(buffer, at) for at in buffer.tables(graph, 0)]
        inputs = tuple(tensors[index] for index in buffer.numbers(graph, 1))
        outputs = tuple(tensors[index] for index in buffer.numbers(graph, 2))
    except (struct.error, IndexError, ValueError, UnicodeDecodeError) as error:
        why = "it is empty" if not data else f"it is cut short or of another format ({error})"
        raise DetectError(f"{path} is not a TFLite model: {why}", hint="fetch or convert it again") from None
    if not inputs or not outputs:
        raise DetectError(f"{path} is not a TFLite model: it has no inputs or no outputs", hint="convert it again")
    return Interface(inputs, outputs)


class _Buffer:
    """Tables and vectors of a FlatBuffer; every offset is checked by struct."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self, form: str, at: int) -> int:
        if at < 0:
            raise ValueError(f"an offset is negative: {at}")
        return int(struct.unpack_from(form, self._data, at)[0])

    def _field(self, table: int, index: int) -> int:
        """Where a field of a table is; 0 if it is left out."""
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
        """Refuse a file that ends before its weights do."""
        for table in self.tables(self.number("<I", 0), 4):
            begin, count = self._vector(table, 0)
            if begin + count > len(self._data):
                raise ValueError(f"its weights end at byte {begin + count}, the file at {len(self._data)}")

    def tables(self, table: int, index: int) -> list[int]:
        begin, count = self._vector(table, index)
        places = range(begin, begin + 4 * count, 4)
        return [at + self.number("<I", at) for at in places]

    def numbers(self, table: int, index: int) -> list[int]:
        begin, count = self._vector(table, index)
        return [self.number("<i", begin + 4 * position) for position in range(count)]

    def text(self, table: int, index: int) -> str:
        begin, count = self._vector(table, index)
        return self._data[begin : begin + count].decode()

    def byte(self, table: int, index: int) -> int:
        field = self._field(table, index)
        return self.number("<b", field) if field else 0


def _tensor(buffer: _Buffer, at: int) -> Tensor:
    kind = buffer.byte(at, 1)
    return Tensor(buffer.text(at, 3), _DTYPES.get(kind, f"type {kind}"), tuple(buffer.numbers(at, 0)))

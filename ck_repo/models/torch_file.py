"""Weights in a PyTorch file (.pytorch, .pt, .pth), read without PyTorch and without running code.

Both formats are supported: that before PyTorch 1.6, a sequence of pickles followed by the numbers, and the later archive. The
pickle may have a dictionary of weights or a module, whose parameters and buffers are collected by name.

Sources: torch/serialization.py and torch/_utils.py of PyTorch 1.1 and 2.
"""

from __future__ import annotations

import mmap
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ck_repo.errors import DetectError
from ck_repo.models.pickled import Inert, Name, PickleError, Reader

_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
ITEM_BYTES = {
    "float32": 4,
    "float64": 8,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
_STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool",
}  # fmt: skip
# exceptions of the library for damaged files
_FAULTS = (OSError, ValueError, KeyError, TypeError, RecursionError, RuntimeError, zipfile.BadZipFile, zlib.error)
_DEEPEST, _MAX_MODULES = 64, 10_000  # maximum nesting and number of modules
_MAX_WEIGHTS = 100_000
_MAX_DIMENSIONS = 32
_LONGEST_NAME = 4096  # maximum characters of a name
_MAX_READ = 16  # maximum ratio to the file's size, for weights that share storages
_SPARE = 1 << 20  # bytes that are always allowed, for small files
_WRAPPERS = ("state_dict", "model", "model_state_dict")  # keys of the weights in checkpoints


@dataclass(frozen=True)
class Storage:
    """Numbers in the file: type, count and key."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Weight:
    """A tensor: a view of a storage. Offset and strides are in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dtype(self) -> str:
        """Type of its elements, in NumPy's notation."""
        return self.storage.dtype


class TorchFile:
    """A PyTorch file: its weights by name, and on request their bytes.

    Raises
    ------
    DetectError
        If it is damaged, has another format, or has content that no file of weights has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}  # start and end of a storage in a legacy file
        self._prefix = ""
        try:
            self._zipped = zipfile.is_zipfile(path)
            found = self._read_archive() if self._zipped else self._read_legacy()
            self.weights = dict(sorted(_collected(found).items()))
            self._check_views()
        except PickleError as error:
            raise DetectError(f"{path} cannot be read: {error.what}", hint=error.hint or "download the model again") from None
        except _FAULTS as error:
            why = "it is empty" if path.stat().st_size == 0 else f"it is truncated or has another format ({error})"
            raise DetectError(f"{path} is not a PyTorch file: {why}", hint="download the model again") from None
        if not self.weights:
            raise DetectError(f"{path} has no weights", hint="check that it is the model's file")

    def _read_archive(self) -> Any:
        with zipfile.ZipFile(self.path) as archive:
            names = archive.namelist()
            pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
            if len(pickles) != 1:
                raise PickleError(f"the archive has {len(pickles)} data.pkl")
            self._prefix = pickles[0].removesuffix("data.pkl")
            sizes = {row.filename: row.file_size for row in archive.infolist()}
            for row in archive.infolist():
                # PyTorch does not write compressed files, which could expand to any size
                if row.compress_type != zipfile.ZIP_STORED or row.flag_bits & 1:
                    raise PickleError(f"{row.filename} in it is compressed or encrypted")
            if self._prefix + "byteorder" in names and archive.read(self._prefix + "byteorder") != b"little":
                raise PickleError("its numbers are big-endian")
            if sizes[pickles[0]] > 1 << 28:
                raise PickleError(f"its list of names takes {sizes[pickles[0]]} bytes")
            found = _weights_of(archive.read(pickles[0])).read()
            for key, size in sizes.items():
                self._places[key.removeprefix(self._prefix + "data/")] = (0, size)
            return found

    def _read_legacy(self) -> Any:
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = 0
            head = []
            for _ in range(3):  # magic number, version of the format, information on the machine
                reader = Reader(data, at)
                try:
                    head.append(reader.read())
                except PickleError:
                    if head:
                        raise
                if head[:1] != [_MAGIC]:
                    raise PickleError("it does not start like a PyTorch file")
                at = reader.end
            if head[1] != _LEGACY_VERSION:
                raise PickleError(f"its format does not have version {_LEGACY_VERSION}")
            if not (isinstance(head[2], dict) and head[2].get("little_endian", True)):
                raise PickleError("its numbers are big-endian")
            reader = _weights_of(data, at)
            found = reader.read()
            keys_reader = Reader(data, reader.end)
            keys = keys_reader.read()
            at = keys_reader.end
            counts = {storage.key: storage for storage in _storages(found)}
            if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
                raise PickleError("its list of storages is damaged")
            for key in keys:
                count = int.from_bytes(data[at : at + 8], "little")
                item = ITEM_BYTES[counts[key].dtype] if key in counts else 4
                self._places[str(key)] = (at + 8, at + 8 + count * item)
                at += 8 + count * item
            if at > len(data):
                raise PickleError(f"it is truncated: the weights end at byte {at}, the file at {len(data)}")
            return found

    def _check_views(self) -> None:
        """Refuse tensors larger than their storage, because a few bytes could claim any amount of memory."""
        total = read = 0
        size = self.path.stat().st_size
        for name, weight in self.weights.items():
            begin, end = self._places.get(weight.storage.key, (0, -1))
            have = (end - begin) // ITEM_BYTES[weight.dtype]
            sizes_fit = all(size >= 0 for size in weight.shape) and all(step >= 0 for step in weight.strides)
            last = weight.offset + sum((size - 1) * step for size, step in zip(weight.shape, weight.strides, strict=True))
            empty = 0 in weight.shape
            if not sizes_fit or weight.offset < 0 or (not empty and last >= have) or prod(weight.shape) > max(have, 1):
                raise PickleError(f"{name} claims {list(weight.shape)} numbers, and its storage has {max(have, 0)}")
            total += prod(weight.shape) * ITEM_BYTES[weight.dtype]
            read += end - begin
            # tensors may share numbers, within this limit
            if total > 4 * size + _SPARE or read > _MAX_READ * (size + _SPARE):
                raise PickleError("its tensors claim many times the bytes that it has")

    def contents(self) -> Iterator[tuple[str, Weight, bytes]]:
        """Every weight with its bytes, little-endian, the last dimension varying fastest."""
        try:
            yield from self._contents()
        except _FAULTS as error:
            raise DetectError(f"{self.path} is damaged: {error}", hint="download the model again") from None

    def _contents(self) -> Iterator[tuple[str, Weight, bytes]]:
        if self._zipped:
            with zipfile.ZipFile(self.path) as archive:
                for name, weight in self.weights.items():
                    yield name, weight, _bytes_of(weight, archive.read(f"{self._prefix}data/{weight.storage.key}"))
            return
        with open(self.path, "rb") as file:
            for name, weight in self.weights.items():
                begin, end = self._places[weight.storage.key]
                file.seek(begin)
                yield name, weight, _bytes_of(weight, file.read(end - begin))


def _weights_of(data: Any, at: int = 0) -> Reader:
    """A pickle reader that supports tensors."""
    rebuild = {
        ("torch._utils", "_rebuild_tensor"): _tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *more: tensor,
        ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *more: tensor,
        ("torch.nn.parameter", "Parameter"): lambda tensor, *more: tensor,
    }
    return Reader(data, at, _persistent, rebuild)


def _persistent(key: Any) -> Any:
    """Resolve a persistent id: numbers, or (before PyTorch 1.6) a class with its source code."""
    if isinstance(key, tuple) and len(key) >= 5 and key[0] == "storage" and isinstance(key[1], Name):
        if key[1].name not in _STORAGES:
            raise PickleError(f"it has numbers of the type {key[1]}")
        if len(key) > 5 and key[5] is not None:
            raise PickleError("a storage is a part of another one")
        if not isinstance(key[2], str | int) or not isinstance(key[4], int):
            raise PickleError("a storage has no key or no length")
        return Storage(str(key[2]), _STORAGES[key[1].name], key[4])
    if isinstance(key, tuple) and len(key) >= 2 and key[0] == "module" and isinstance(key[1], Name):
        return key[1]
    raise PickleError("it has a reference to something other than a tensor's storage")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> Weight:
    if not isinstance(storage, Storage):
        raise PickleError("a tensor has no storage")
    for row in (shape, strides):
        if not isinstance(row, list | tuple) or len(row) > _MAX_DIMENSIONS or not all(isinstance(size, int) for size in row):
            raise PickleError(f"the shape or the strides of a tensor are not a list of at most {_MAX_DIMENSIONS} numbers")
    return Weight(storage, int(offset), tuple(int(size) for size in shape), tuple(int(step) for step in strides))


def _collected(found: Any, depth: int = 0) -> dict[str, Weight]:
    """Weights by name: from a dictionary, a checkpoint that contains one, or a module with its submodules."""
    if isinstance(found, dict):
        own = {str(name): value for name, value in found.items() if isinstance(value, Weight)}
        if own:
            return own
        for key in _WRAPPERS:
            if depth < len(_WRAPPERS) and key in found and (inner := _collected(found[key], depth + 1)):
                return inner
        return {}
    return dict(_bounded(_of_module(found, "", []))) if isinstance(found, Inert) else {}


def _bounded(weights: Iterator[tuple[str, Weight]]) -> Iterator[tuple[str, Weight]]:
    """The weights, if there are not too many: a module may be shared many times."""
    for number, (name, weight) in enumerate(weights):
        if number == _MAX_WEIGHTS:
            raise PickleError(f"it has more than {_MAX_WEIGHTS} weights")
        yield name, weight


def _of_module(module: Inert, prefix: str, seen: list[Inert]) -> Iterator[tuple[str, Weight]]:
    """Weights of a module and its submodules; `seen` are those visited before."""
    seen.append(module)
    if prefix.count(".") > _DEEPEST or len(seen) > _MAX_MODULES or len(prefix) > _LONGEST_NAME:
        raise PickleError(f"its modules are nested more than {_DEEPEST} levels deep, or are more than {_MAX_MODULES}")
    state = module.state if isinstance(module.state, dict) else {}
    for part in ("_parameters", "_buffers"):
        rows = state.get(part)
        for name, value in rows.items() if isinstance(rows, dict) else ():
            if isinstance(value, Weight):
                yield f"{prefix}{name}", value
    below = state.get("_modules")
    for name, value in below.items() if isinstance(below, dict) else ():
        if isinstance(value, Inert):
            yield from _of_module(value, f"{prefix}{name}.", seen)


def _storages(found: Any) -> list[Storage]:
    """Every storage that was read, including those of other tensors: their sizes determine the positions."""
    seen: set[int] = set()
    rows: list[Storage] = []
    waiting = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Weight):
            rows.append(value.storage)
        elif isinstance(value, Storage):
            rows.append(value)
        elif isinstance(value, dict | list | tuple | Inert) and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, dict):
                waiting += value.values()
            elif isinstance(value, Inert):
                waiting += [value.state, *value.arguments]
            else:
                waiting += value
    return rows


def _bytes_of(weight: Weight, storage: bytes) -> bytes:
    """The elements of a view in order."""
    item = ITEM_BYTES[weight.dtype]
    if 0 in weight.shape:
        return b""
    if _is_plain(weight):
        return storage[weight.offset * item : (weight.offset + prod(weight.shape)) * item]
    view = memoryview(storage)
    parts: list[bytes] = []

    def gather(at: int, dimension: int) -> None:
        if dimension == len(weight.shape):
            parts.append(bytes(view[at * item : (at + 1) * item]))
            return
        for number in range(weight.shape[dimension]):
            gather(at + number * weight.strides[dimension], dimension + 1)

    gather(weight.offset, 0)
    return b"".join(parts)


def _is_plain(weight: Weight) -> bool:
    step = 1
    for size, stride in zip(reversed(weight.shape), reversed(weight.strides), strict=True):
        if size > 1 and stride != step:
            return False
        step *= size
    return True

"""The interface of a SavedModel of TensorFlow, read from the signature in its protobuf without TensorFlow.

Field numbers: saved_model.proto, meta_graph.proto and tensor_shape.proto of TensorFlow.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable
from pathlib import Path

from ck_repo.models.graph_file import DTYPES, dimension
from ck_repo.models.protobuf import DamagedError, LacksError, Span, fields, read_interface, text
from ck_repo.models.tensors import Interface, Tensor
from ck_repo.store.plain_file import walk

SAVED_MODEL = "saved_model.pb"  # the main file in the folder of a model
SIGNATURE = "serving_default"
_OPERATIONS = (b"VarHandleOp", b"VariableV2")  # they take values from the files of variables
_VARIABLES = "variables/variables"
_SHARD = re.compile(rf"{_VARIABLES}\.data-\d{{5}}-of-(?P<count>\d{{5}})")
_MAX_SHARDS = 1000
_FOLDERS = ("variables", "assets", "assets.extra")
_META_GRAPH, _SIGNATURE_DEF, _INPUTS, _OUTPUTS = 2, 5, 1, 2


def read_saved_model(path: Path) -> Interface:
    """Read the inputs and outputs of the signature ``serving_default``, under its names.

    Raises
    ------
    DetectError
        If the file is empty, truncated, not a SavedModel, or has no such signature.
    """
    return read_interface(path, _model, "a SavedModel of TensorFlow", f"export it with the signature {SIGNATURE}")


def parts_of_saved_model(path: Path) -> dict[str, int]:
    """Names of the files of variables and assets next to ``saved_model.pb``, with those of variables that are missing."""
    found = [
        f"{folder}/{row.name}" for folder in _FOLDERS if (path.parent / folder).is_dir() for row in walk(path.parent / folder)
    ]
    return dict.fromkeys([*found, *_variables(path, found)], 0)


def _variables(path: Path, found: Iterable[str]) -> set[str]:
    """The files that hold the variables of a SavedModel, whether they are there or not; none for one without variables."""
    shards = [match for name in found if (match := _SHARD.fullmatch(name))]
    if not _has_variables(path):
        return set()
    counts = {int(match["count"]) for match in shards} or {1}
    names = {
        f"{_VARIABLES}.data-{number:05}-of-{count:05}" for count in counts if count < _MAX_SHARDS for number in range(count)
    }
    return {f"{_VARIABLES}.index", *names}


def _has_variables(path: Path) -> bool:
    content = path.read_bytes()
    return any(operation in content for operation in _OPERATIONS)


def _model(data: mmap.mmap) -> Interface:
    others, graphs = [], 0
    for number, _, graph in fields(data, (0, len(data))):
        if number != _META_GRAPH:
            continue
        graphs += 1
        for inner, _, entry in fields(data, graph):
            if inner == _SIGNATURE_DEF:
                key, signature = _pair(data, entry)
                if key == SIGNATURE:
                    inputs, outputs = _tensors(data, signature, _INPUTS), _tensors(data, signature, _OUTPUTS)
                    if not inputs or not outputs:
                        raise LacksError(f"its signature {SIGNATURE} has no {'outputs' if inputs else 'inputs'}")
                    return Interface(inputs, outputs)
                if not key.startswith("__"):
                    others.append(key)
    if not graphs:
        raise DamagedError("it has no graph")
    raise LacksError(f"it has no signature {SIGNATURE}" + (f", but {', '.join(others)}" if others else ""))


def _pair(data: mmap.mmap, span: Span) -> tuple[str, Span]:
    """Key and value of an item of a map."""
    parts = {number: place for number, _, place in fields(data, span)}
    return text(data, parts.get(1, (0, 0))), parts.get(2, (0, 0))


def _tensors(data: mmap.mmap, signature: Span, which: int) -> tuple[Tensor, ...]:
    found = []
    for number, _, entry in fields(data, signature):
        if number == which:
            name, info = _pair(data, entry)
            found.append(_tensor(data, name, info))
    return tuple(sorted(found, key=lambda row: row.name))


def _tensor(data: mmap.mmap, name: str, info: Span) -> Tensor:
    dtype, shape = 0, []
    for number, value, span in fields(data, info):
        if number == 2:
            dtype = value
        elif number == 3:
            shape = [dimension(data, dim) for inner, _, dim in fields(data, span) if inner == 2]
    return Tensor(name, DTYPES.get(dtype, f"type {dtype}"), tuple(shape))

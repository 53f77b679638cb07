"""Write weights in the safetensors format: a table of names, followed by the numbers. It contains no code.

Source: the format's description in the README of safetensors. This short implementation supports every Python without NumPy,
and writes the weights one after the other.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

from ck_repo.models.torch_file import ITEM_BYTES, TorchFile

_DTYPES = {
    "float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_ALIGNMENT = 8  # alignment of the numbers, as the format requires


def write_safetensors(source: TorchFile, path: Path) -> None:
    """Copy the weights of a PyTorch file.

    Parameters
    ----------
    source
        The weights, which are copied one after another; names, shapes and types stay as they are.

    Raises
    ------
    CKError
        If the content of a weight cannot be read.
    """
    header, at = {}, 0
    for name, weight in source.weights.items():
        size = prod(weight.shape) * ITEM_BYTES[weight.dtype]
        header[name] = {"dtype": _DTYPES[weight.dtype], "shape": weight.shape, "data_offsets": (at, at + size)}
        at += size
    table = json.dumps(header, separators=(",", ":")).encode()
    table += b" " * (-len(table) % _ALIGNMENT)
    with open(path, "wb") as file:
        file.write(len(table).to_bytes(8, "little") + table)
        for _, _, data in source.contents():
            file.write(data)

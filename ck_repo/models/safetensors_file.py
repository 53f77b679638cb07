"""Write weights in the format safetensors: a table of names, and the numbers behind it; nothing in it could run.

Source: the format's description in the README of safetensors. Written here, as one page of code serves every Python without
NumPy, and the weights go to the disk one after the other.
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
_ALIGNMENT = 8  # of the numbers, as the format asks for it


def write_safetensors(source: TorchFile, path: Path) -> None:
    """Copy the weights of a file of PyTorch."""
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

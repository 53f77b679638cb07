"""Write weights in the format safetensors: arrays by name, and nothing that could run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ck_repo.formats.torch_file import TorchFile


def write_safetensors(source: TorchFile, path: Path) -> None:
    """Copy the weights of a file of PyTorch."""
    from safetensors import serialize_file

    rows: dict[str, Any] = {
        name: {"dtype": weight.dtype, "shape": list(weight.shape), "data": data} for name, weight, data in source.contents()
    }
    serialize_file(rows, str(path))

"""Weights in a safetensors file: arrays by name, and metadata with other properties of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from object_detection.errors import HarnessError

Arrays = dict[str, npt.NDArray[Any]]
FILE = "model.safetensors"


def save(folder: Path, arrays: Arrays, architecture: str, **settings: object) -> None:
    """Write the file `FILE`.

    Parameters
    ----------
    architecture
        The marker of a network, by which its files are recognised.
    settings
        Other metadata, which are stored as text.
    """
    from safetensors.numpy import save_file

    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(plain, folder / FILE, {"architecture": architecture, **{key: str(value) for key, value in settings.items()}})


def load(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Arrays and metadata of a file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise HarnessError(f"{path} cannot be read: {error}", "convert or download the model again") from error

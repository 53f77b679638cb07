"""The formats of model files, each declared once: how a file is read, and which files belong to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ck_repo.models.external_data import external_data
from ck_repo.models.graph_file import read_graph
from ck_repo.models.onnx_file import read_onnx
from ck_repo.models.openvino_file import read_openvino, weights
from ck_repo.models.saved_model_file import SAVED_MODEL, parts_of_saved_model, read_saved_model
from ck_repo.models.tensors import Interface
from ck_repo.models.tflite_file import read_tflite


@dataclass(frozen=True)
class ModelFormat:
    """A format of model files.

    Attributes
    ----------
    example
        What users give with ``--full_path=``; empty for formats that only packages have.
    read
        Reads the interface from a file without running it; None if such files only hold weights.
    parts
        The additional files of a model, relative to the folder of its main file, with their minimum sizes in bytes; files that
        are missing are included.
    main
        The main file of a model that is given as a folder; empty if it is always a file.
    """

    example: str = ""
    read: Callable[[Path], Interface] | None = None
    parts: Callable[[Path], Mapping[str, int]] = lambda path: {}
    main: str = ""


def _read_tensorflow(path: Path) -> Interface:
    return read_saved_model(path) if path.name == SAVED_MODEL else read_graph(path)


def _parts_of_tensorflow(path: Path) -> Mapping[str, int]:
    return parts_of_saved_model(path) if path.name == SAVED_MODEL else {}


FORMATS: Mapping[str, ModelFormat] = {
    "onnx": ModelFormat("model.onnx", read_onnx, external_data),
    "tflite": ModelFormat("model.tflite", read_tflite),
    "tensorflow": ModelFormat(
        "model.pb, or the folder of a SavedModel", _read_tensorflow, _parts_of_tensorflow, main=SAVED_MODEL
    ),
    "openvino": ModelFormat("model.xml", read_openvino, weights),
    "pytorch": ModelFormat("model.pytorch"),
    "safetensors": ModelFormat(),
}
# the formats of models that users register
REGISTERED_FORMATS = tuple(name for name, row in FORMATS.items() if row.example)


def format_of(name: str) -> ModelFormat:
    """The format by its name; one without a reader and parts if it is not known."""
    return FORMATS.get(name, ModelFormat())

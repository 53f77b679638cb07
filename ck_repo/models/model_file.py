"""A model file of the user's: its format, its interface, and which profile fits it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ck_repo.errors import DetectError
from ck_repo.models.graph_file import read_graph
from ck_repo.models.onnx_file import read_onnx
from ck_repo.models.profiles import PROFILES, Profile, profile
from ck_repo.models.tensors import Interface
from ck_repo.models.tflite_file import read_tflite
from ck_repo.models.torch_file import TorchFile

_READERS = {"onnx": read_onnx, "tflite": read_tflite, "tensorflow": read_graph}
# of a file of PyTorch, which has no interface: the weight that tells the network, its name, benchmark and profile
_NETWORKS = {
    "backbone.0.0.weight": ("ssd-mobilenet-v1", "ssd-mobilenet", "coco-300-pt"),
    "model.layer1.0.weight": ("ssd-resnet34-1200", "ssd-resnet34", "coco-1200-pt"),
}
_TFLITE = "coco-300-tflite"
_TFLITE_ORDER = ("boxes", "classes", "scores", "count")  # of the outputs of TFLite's own detection op


def inspect_model(path: Path, kind: str, profile_name: str = "") -> dict[str, Any]:
    """Read a model file and tell how to run it: the `model` section of an env entry.

    Parameters
    ----------
    path
        The file.
    kind
        ``onnx``, ``tflite``, ``tensorflow`` or ``pytorch``.
    profile_name
        The profile to use, where the interface alone does not tell.

    Raises
    ------
    DetectError
        If the file is damaged, or its interface fits no profile; the message names inputs and outputs.
    """
    if kind == "pytorch":
        return _weights(path, profile_name)
    interface = _READERS[kind](path)
    chosen = _fitting(path, kind, interface, profile_name)
    batch = interface.inputs[0].shape[0] if interface.inputs[0].shape else None
    names = {}
    if chosen.name == _TFLITE and len(interface.outputs) == len(_TFLITE_ORDER):
        names = {"outputs": dict(zip(_TFLITE_ORDER, [row.name for row in interface.outputs], strict=True))}
    return {
        **names,
        "format": kind,
        "profile": chosen.name,
        "input": interface.inputs[0].name,
        "max_batch": batch,
        "signature": {"inputs": [str(row) for row in interface.inputs], "outputs": [str(row) for row in interface.outputs]},
        "opset": interface.opset,
        "dataset": "dataset,coco,2017,val",
    }


def _weights(path: Path, profile_name: str) -> dict[str, Any]:
    """The `model` section of a file of PyTorch: its network is told by the names of its weights."""
    weights = TorchFile(path).weights
    for name, (network, benchmark, usual) in _NETWORKS.items():
        if name in weights:
            chosen = profile(profile_name or usual)
            return {
                "format": "pytorch", "network": network, "benchmark": benchmark, "profile": chosen.name, "input": "image",
                "max_batch": None,
                "signature": {"inputs": [f"image {chosen.dtype}[{chosen.layout}]"], "outputs": [f"{len(weights)} weights"]},
                "dataset": "dataset,coco,2017,val",
            }  # fmt: skip
    raise DetectError(
        f"{path}: its weights are of no network that is known; {next(iter(weights))} is the first of {len(weights)}",
        hint="known: MLPerf's ssd_mobilenet_v1.pytorch and resnet34-ssd1200.pytorch",
    )


def _fitting(path: Path, kind: str, interface: Interface, profile_name: str) -> Profile:
    if profile_name:
        return profile(profile_name)
    names = {row.name for row in interface.outputs}
    for row in PROFILES.values():
        wanted = {row.boxes, row.scores, row.classes, *([row.count] if row.count else [])}
        first = interface.inputs[0]
        if wanted <= names and len(interface.inputs) == 1 and first.dtype == row.dtype and _fits(first.shape, row):
            return row
    own = PROFILES[_TFLITE]
    first = interface.inputs[0]
    by_order = kind == "tflite" and len(interface.outputs) == len(_TFLITE_ORDER)
    if by_order and first.dtype == own.dtype and _fits(first.shape, own):
        return own
    raise DetectError(
        f"{path}: no known profile fits its interface\n"
        f"  inputs: {', '.join(map(str, interface.inputs))}\n  outputs: {', '.join(map(str, interface.outputs))}",
        hint=f"name one with --profile=: {', '.join(PROFILES)} (docs/own-model.md tells what each expects)",
    )


def _fits(shape: tuple[int | None, ...], row: Profile) -> bool:
    if len(shape) != 4:
        return False
    sides = shape[1:3] if row.layout == "NHWC" else shape[2:4]
    channels = shape[3] if row.layout == "NHWC" else shape[1]
    return all(size in (None, row.side) for size in sides) and channels in (None, 3)

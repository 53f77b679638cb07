"""A model file of the user's: its format, its interface, and which profile fits it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ck_repo.errors import DetectError
from ck_repo.models.graph_file import read_graph
from ck_repo.models.networks import DeclaredProfile, Network, own_networks
from ck_repo.models.onnx_file import read_onnx
from ck_repo.models.profiles import Profile, profile, profiles_of
from ck_repo.models.tensors import Interface
from ck_repo.models.tflite_file import read_tflite
from ck_repo.models.torch_file import TorchFile

_READERS = {"onnx": read_onnx, "tflite": read_tflite, "tensorflow": read_graph}


def inspect_model(
    path: Path, kind: str, profile_name: str = "", networks: Mapping[str, Network] | None = None
) -> dict[str, Any]:
    """Read a model file and tell how to run it: the `model` section of an env entry.

    Parameters
    ----------
    path
        The file.
    kind
        ``onnx``, ``tflite``, ``tensorflow`` or ``pytorch``.
    profile_name
        The profile to use, where the interface alone does not tell.
    networks
        The networks that are known, by name; the benchmark's own unless others are given.

    Raises
    ------
    DetectError
        If the file is damaged, or its interface fits no profile; the message names inputs and outputs.
    """
    known = own_networks() if networks is None else networks
    if kind == "pytorch":
        return _weights(path, profile_name, known)
    interface = _READERS[kind](path)
    chosen = _fitting(path, kind, interface, profile_name, known)
    batch = interface.inputs[0].shape[0] if interface.inputs[0].shape else None
    names = {}
    order = next((row.outputs_in_order for row in _declared(known) if row.name == chosen.name), ())
    if order and len(interface.outputs) == len(order):
        names = {"outputs": dict(zip(order, [row.name for row in interface.outputs], strict=True))}
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


def _declared(networks: Mapping[str, Network]) -> Iterator[DeclaredProfile]:
    return (row for network in networks.values() for row in network.profiles)


def _weights(path: Path, profile_name: str, networks: Mapping[str, Network]) -> dict[str, Any]:
    """The `model` section of a file of PyTorch, which has no interface: a weight tells the network."""
    weights = TorchFile(path).weights
    for network in networks.values():
        declared = network.profile_of("pytorch")
        if declared and network.marker in weights:
            chosen = profile(profile_name or declared.name, profiles_of(networks))
            return {
                "format": "pytorch", "network": network.name, "benchmark": network.benchmark, "profile": chosen.name,
                "input": declared.input,
                "max_batch": None,
                "signature": {
                    "inputs": [f"{declared.input} {chosen.dtype}[{chosen.layout}]"],
                    "outputs": [f"{len(weights)} weights"],
                },
                "dataset": "dataset,coco,2017,val",
            }  # fmt: skip
    raise DetectError(
        f"{path}: its weights are of no network that is known; {next(iter(weights))} is the first of {len(weights)}",
        hint=f"known: {', '.join(networks)}; MLPerf's files are ssd_mobilenet_v1.pytorch and resnet34-ssd1200.pytorch",
    )


def _fitting(path: Path, kind: str, interface: Interface, profile_name: str, networks: Mapping[str, Network]) -> Profile:
    profiles = profiles_of(networks)
    if profile_name:
        return profile(profile_name, profiles)
    names = {row.name for row in interface.outputs}
    for row in profiles.values():
        wanted = {row.boxes, row.scores, row.classes, *([row.count] if row.count else [])}
        first = interface.inputs[0]
        if wanted <= names and len(interface.inputs) == 1 and first.dtype == row.dtype and _fits(first.shape, row):
            return row
    first = interface.inputs[0]
    for declared in _declared(networks):
        own = profiles[declared.name]
        by_order = kind in declared.formats and 0 < len(declared.outputs_in_order) == len(interface.outputs)
        if by_order and first.dtype == own.dtype and _fits(first.shape, own):
            return own
    raise DetectError(
        f"{path}: no known profile fits its interface\n"
        f"  inputs: {', '.join(map(str, interface.inputs))}\n  outputs: {', '.join(map(str, interface.outputs))}",
        hint=f"name one with --profile=: {', '.join(profiles)} (docs/own-model.md tells what each expects)",
    )


def _fits(shape: tuple[int | None, ...], row: Profile) -> bool:
    if len(shape) != 4:
        return False
    sides = shape[1:3] if row.layout == "NHWC" else shape[2:4]
    channels = shape[3] if row.layout == "NHWC" else shape[1]
    return all(size in (None, row.side) for size in sides) and channels in (None, 3)

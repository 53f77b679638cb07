"""Load a network from a file of weights, and check every name and shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from object_detection.errors import HarnessError
from object_detection.models.detector import Detector
from object_detection.models.fuse import fuse
from object_detection.models.networks import Network, network_of
from object_detection.models.ssd_mobilenet import Rounding

_MAX_NAMED = 4


def load_network(path: Path) -> Detector:
    """Read the weights and build their network, ready for inference; see `load_declared`."""
    return load_declared(path)[0]


def load_declared(path: Path) -> tuple[Detector, Network]:
    """Read the weights and build their network, ready for inference; also return the network's declaration.

    Raises
    ------
    HarnessError
        If the file is damaged, or its network is unknown, or names or shapes differ from the network's.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise HarnessError(f"{path} cannot be read: {error}", "convert or download the model again") from error
    declared = network_of(tensors, metadata, path)
    network: Detector = declared.builder("torch")(tensors, metadata)
    check_names(network, tensors, path)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, Rounding):
            layer.settle()
    fuse(network)
    return network, declared


def check_names(network: torch.nn.Module, tensors: Mapping[str, Tensor], source: object) -> None:
    """Compare the weights of a file with those of a network.

    Raises
    ------
    HarnessError
        If names are missing or additional, or shapes differ.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    problems = []
    for what, names in (
        ("lacks", wanted.keys() - found.keys()),
        ("has in addition", found.keys() - wanted.keys()),
    ):
        if names:
            shown = ", ".join(sorted(names)[:_MAX_NAMED])
            problems.append(f"{what} {shown}" + (f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""))
    problems += [
        f"has {name} as {list(found[name])} instead of {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ][:_MAX_NAMED]
    if problems:
        raise HarnessError(
            f"{source} does not match {type(network).__name__}: it {'; it '.join(problems)}", "download the model again"
        )

"""A network from a file of weights: every name and shape is held against what the network has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from object_detection.errors import HarnessError
from object_detection.models import ssd_mobilenet
from object_detection.models.architectures import FIRST_WEIGHT, RESNET34_RULE, SSD_RESNET34, Rule, architecture_of
from object_detection.models.fuse import fuse
from object_detection.models.ssd_mobilenet import Rounding, SSDMobileNet
from object_detection.models.ssd_resnet34 import SSDResNet34

Network = SSDMobileNet | SSDResNet34
_MOST_NAMED = 4


def load_network(path: Path) -> Network:
    """Read the weights and build the network that they are of, ready for inference.

    Raises
    ------
    HarnessError
        If the file is damaged, of an unknown network, or has other names or shapes than the network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise HarnessError(f"{path} cannot be read: {error}", "convert or fetch the model again") from error
    network = build(tensors, metadata, path)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, Rounding):
            layer.settle()
    fuse(network)
    return network


def build(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], source: object) -> Network:
    """The network, its parameters not yet set, that fits the weights."""
    architecture = architecture_of(tensors, metadata, source)
    if architecture == SSD_RESNET34:
        network: Network = SSDResNet34(rule=_rule(metadata, RESNET34_RULE))
    else:
        usual = ssd_mobilenet.Settings()
        settings = ssd_mobilenet.Settings(
            _rule(metadata, usual.rule), float(metadata.get("input_offset", 0)), float(metadata.get("input_scale", 1))
        )
        scores = tensors.get("predictors.0.classification.weight")
        classes = len(scores) // 3 if scores is not None else 91
        own = [name for name in tensors if name == "anchors" or name.endswith(".range")]
        network = SSDMobileNet(classes, tensors[FIRST_WEIGHT[architecture]].shape[0] / 32, settings, own)
    check_names(network, tensors, source)
    return network


def _rule(metadata: Mapping[str, str], usual: Rule) -> Rule:
    return Rule(
        float(metadata.get("score_above", usual.score_above)),
        float(metadata.get("iou", usual.iou)),
        int(metadata.get("candidates", usual.candidates)),
        int(metadata.get("total", usual.total)),
        float(metadata.get("epsilon", usual.epsilon)),
        usual.from_iou,
    )


def check_names(network: torch.nn.Module, tensors: Mapping[str, Tensor], source: object) -> None:
    """Refuse weights with missing or extra names, or with other shapes."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    problems = []
    for what, names in (
        ("lacks", wanted.keys() - found.keys()),
        ("has beside what belongs to it", found.keys() - wanted.keys()),
    ):
        if names:
            shown = ", ".join(sorted(names)[:_MOST_NAMED])
            problems.append(f"{what} {shown}" + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""))
    problems += [
        f"has {name} as {list(found[name])} instead of {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ][:_MOST_NAMED]
    if problems:
        raise HarnessError(
            f"{source} does not fit {type(network).__name__}: it {'; it '.join(problems)}", "fetch the model again"
        )

"""Fold channel-wise operations after a convolution into its weights, once, before inference."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from object_detection.models.ssd_mobilenet import Affine


def fuse(module: nn.Module) -> None:
    """Fold every batch normalisation and every `Affine` into the convolution before it, in place."""
    before: tuple[str, nn.Module] | None = None
    for name, layer in list(module.named_children()):
        if before and isinstance(before[1], nn.Conv2d) and isinstance(layer, nn.BatchNorm2d):
            module.add_module(before[0], fuse_conv_bn_eval(before[1], layer))
            module.add_module(name, nn.Identity())
        elif before and isinstance(before[1], nn.Conv2d) and isinstance(layer, Affine):
            _fold(before[1], layer)
            module.add_module(name, nn.Identity())
        else:
            fuse(layer)
        before = (name, layer)


def _fold(conv: nn.Conv2d, affine: Affine) -> None:
    with torch.no_grad():
        if affine.scale is not None:
            conv.weight.mul_(affine.scale.view(-1, 1, 1, 1))
        conv.bias = nn.Parameter(affine.bias.detach().clone(), requires_grad=False)

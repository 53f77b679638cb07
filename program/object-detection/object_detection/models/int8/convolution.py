"""Convolutions of bytes by oneDNN, and the conversion of values to bytes and back."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from object_detection.models.int8.ranges import Steps
from object_detection.models.ssd_mobilenet import SameConv

_ACTIVATIONS: dict[str, tuple[str, list[float]]] = {"": ("none", []), "relu": ("relu", []), "relu6": ("hardtanh", [0.0, 6.0])}
_LARGEST_WEIGHT = 127
# processors without 8-bit dot products add two products of a byte and a weight in 16 bits: 2 × 255 × 64 fits
_LARGEST_WEIGHT_IN_16_BITS = 64


def to_bytes(values: Tensor, size: float, zero: int) -> Tensor:
    """Round values to bytes; see `Steps`."""
    rounded = (values * (1 / size)).round_()
    if zero:
        rounded += zero
    return rounded.clamp_(0, 255).to(torch.uint8)


def to_values(given: Tensor, size: float, zero: int) -> Tensor:
    """The values of bytes, as float32; see `Steps`."""
    return (given.float().sub_(zero) if zero else given) * size


class ByteConvolution(nn.Module):
    """A convolution of bytes with 8-bit weights, which have their own steps for each output channel.

    Parameters
    ----------
    layer
        The convolution of floats.
    given
        Steps of the input.
    result
        Steps of the result; None for a result of float32.
    activation
        ``relu``, ``relu6`` or empty.
    largest
        Of the weights; see `largest_weight`.
    total
        Steps of the bytes that the result is added to, if any, before the activation.
    """

    def __init__(
        self, layer: nn.Conv2d, given: Steps, result: Steps | None, activation: str, largest: int, total: Steps | None = None
    ) -> None:
        super().__init__()
        self._given, self._result, self._total = given, result, total
        self._attribute, self._bounds = _ACTIVATIONS[activation]
        self._same = isinstance(layer, SameConv)
        self._stride, self._dilation, self._groups = list(layer.stride), list(layer.dilation), layer.groups
        self._padding = [0, 0] if self._same else [int(each) for each in layer.padding]
        self._kernel = layer.kernel_size[0]
        weights = layer.weight.detach().float()
        sizes = weights.abs().amax((1, 2, 3)).div_(largest)
        self._sizes = torch.where(sizes > 0, sizes, 1.0)
        self._whole = (weights / self._sizes.view(-1, 1, 1, 1)).round_().clamp_(-largest, largest).to(torch.int8)
        self._packed: Tensor | None = None
        self._zeros = torch.zeros(len(weights), dtype=torch.int32)
        self._bias = None if layer.bias is None else layer.bias.detach().float()

    def forward(self, given: Tensor, total: Tensor | None = None) -> Tensor:
        """Convolve bytes (batch, channels, height, width); with `total`, its memory is used for the result."""
        padded, padding = self._padded(given)
        given_steps = self._given.size, self._given.zero
        if self._packed is None:  # oneDNN chooses the order of weights by the size of images; another order is slow
            self._packed = torch.ops.onednn.qconv_prepack(
                self._whole, self._sizes, *given_steps, self._stride, padding, self._dilation, self._groups, list(padded.shape)
            )
        before = (padded, *given_steps, self._packed, self._sizes, self._zeros)
        steps = Steps(1.0, 0) if self._result is None else self._result
        after = (
            self._bias, self._stride, padding, self._dilation, self._groups,
            steps.size, steps.zero, torch.float32 if self._result is None else torch.uint8,
        )  # fmt: skip
        result: Tensor
        if total is None:
            result = torch.ops.onednn.qconv2d_pointwise(*before, *after, self._attribute, self._bounds, "")
        else:
            assert self._total
            sum_ = (self._total.size, self._total.zero, "sum", 1.0)
            result = torch.ops.onednn.qconv2d_pointwise.binary(*before, total, *after, *sum_, self._attribute, self._bounds, "")
        return result

    def _padded(self, given: Tensor) -> tuple[Tensor, list[int]]:
        """The input and its padding; what cannot be the same on both sides is added to the input."""
        if not self._same:
            return given, self._padding
        stride, kernel = self._stride[0], self._kernel
        height, width = (max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in given.shape[2:])
        if height % 2 == 0 and width % 2 == 0:
            return given, [height // 2, width // 2]
        sides = (width // 2, width - width // 2, height // 2, height - height // 2)
        return functional.pad(given, sides, value=self._given.zero), [0, 0]


def largest_weight() -> int:
    """The largest 8-bit weight with which this processor computes exactly.

    Raises
    ------
    RuntimeError, AttributeError
        If PyTorch has no 8-bit convolutions here.
    """
    layer = nn.Conv2d(64, 16, 1, bias=False).requires_grad_(False)
    layer.weight.fill_(1.0)
    given = torch.full((1, 64, 4, 4), 255, dtype=torch.uint8)
    exact = ByteConvolution(layer, Steps(1.0, 0), None, "", _LARGEST_WEIGHT)(given)
    return _LARGEST_WEIGHT if torch.allclose(exact, torch.tensor(64 * 255.0)) else _LARGEST_WEIGHT_IN_16_BITS

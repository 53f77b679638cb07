"""SSD-MobileNet v1 at 300 × 300, of any depth multiplier, with or without simulated 8-bit arithmetic.

The names of the parameters are those of MLPerf's ssd_mobilenet_v1.pytorch. Sources: MobileNets (Howard et al., 2017), table 1;
ssd_mobilenet_v1_coco of TensorFlow's object detection API.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from object_detection.models.anchors import MOBILENET_KINDS, mobilenet_anchors
from object_detection.models.detector import Detector
from object_detection.models.networks.ssd_mobilenet_v1 import CODER, FEATURES, RULE, STRIDE_2
from object_detection.models.nms import detect
from object_detection.models.rule import Rule

_FIRST = "backbone.0.0.weight"
_WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))


@dataclass(frozen=True)
class Settings:
    """Settings that are not in the weights.

    Attributes
    ----------
    rule
        The selection of detections. The default is that of the reference's PyTorch model.
    input_offset, input_scale
        The network's input is (x - offset) × scale.
    """

    rule: Rule = RULE
    input_offset: float = 0.0
    input_scale: float = 1.0


class Rounding(nn.Module):
    """Simulated 8-bit arithmetic: values are rounded to one of 256 steps. Without a range, nothing is done.

    The range is a buffer of two numbers: the size of a step, and the step of zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("range", None)
        self._steps: tuple[float, int] | None = None

    def settle(self) -> None:
        """Store the range, once it is loaded, as plain numbers: they are the same for every image."""
        steps = cast(Tensor | None, self.range)
        self._steps = None if steps is None else (float(steps[0]), int(steps[1]))

    def forward(self, values: Tensor) -> Tensor:
        """Round."""
        if self._steps is None:
            return values
        return torch.fake_quantize_per_tensor_affine(values, *self._steps, 0, 255)


class Affine(nn.Module):
    """``x × scale + bias`` by channel: the rest of a batch normalisation whose scale may be folded into the weights."""

    def __init__(self, channels: int, *, scaled: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels)) if scaled else None
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, values: Tensor) -> Tensor:
        """Scale and shift."""
        bias = self.bias.view(1, -1, 1, 1)
        return values + bias if self.scale is None else torch.addcmul(bias, values, self.scale.view(1, -1, 1, 1))


class SameConv(nn.Conv2d):
    """A convolution padded like TensorFlow's "SAME": with a stride of 2, padding may only be added at the end."""

    def forward(self, values: Tensor) -> Tensor:
        """Pad and convolve."""
        stride, kernel = self.stride[0], self.kernel_size[0]
        height, width = (max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in values.shape[2:])
        if height % 2 == 0 and width % 2 == 0:
            padding: int | tuple[int, int] = (height // 2, width // 2)
        else:
            values = functional.pad(values, (width // 2, width - width // 2, height // 2, height - height // 2))
            padding = 0
        return functional.conv2d(values, self.weight, self.bias, self.stride, padding, groups=self.groups)


class Layers(nn.Module):
    """A chain of layers; some names have a slash, which attributes cannot have."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, values: Tensor) -> Tensor:
        """Apply one after the other."""
        for layer in self.children():
            values = layer(values)
        return values


def _first(out: int) -> Layers:
    conv = SameConv(3, out, 3, stride=2, bias=False)
    return Layers({"0": conv, "0/BatchNorm": Affine(out, scaled=False), "relu": nn.ReLU6(), "rounding": Rounding()})


def _block(channels: int, out: int, stride: int) -> Layers:
    return Layers(
        {
            "depthwise": SameConv(channels, channels, 3, stride=stride, groups=channels, bias=False),
            "depthwise/BatchNorm": Affine(channels, scaled=True),
            "relu": nn.ReLU6(),
            "depthwise/rounding": Rounding(),
            "pointwise": SameConv(channels, out, 1, bias=False),
            "pointwise/BatchNorm": Affine(out, scaled=False),
            "relu6": nn.ReLU6(),
            "pointwise/rounding": Rounding(),
        }
    )


def _extra(channels: int, between: int, out: int) -> Layers:
    layers = (
        ("0", SameConv(channels, between, 1)), ("1", nn.ReLU6()), ("0/rounding", Rounding()),
        ("2", SameConv(between, out, 3, stride=2)), ("3", nn.ReLU6()), ("2/rounding", Rounding()),
    )  # fmt: skip
    return Layers(dict(layers))


class Heads(nn.Module):
    """Class scores and box offsets of one layer, by row, column and kind of anchor."""

    def __init__(self, channels: int, kinds: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.classification = SameConv(channels, kinds * classes, 1)
        self.regression = SameConv(channels, kinds * 4, 1)
        self.add_module("classification/rounding", Rounding())
        self.add_module("regression/rounding", Rounding())

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, anchors of the layer, classes) and (batch, anchors of the layer, 4)."""
        rounded = self._modules["classification/rounding"], self._modules["regression/rounding"]
        scores, offsets = self.classification(values), self.regression(values)
        assert rounded[0] is not None
        assert rounded[1] is not None
        scores, offsets = rounded[0](scores), rounded[1](offsets)
        batch = values.shape[0]  # not len(): the graph of the heads can be traced
        return (
            scores.permute(0, 2, 3, 1).reshape(batch, -1, self.classes),
            offsets.permute(0, 2, 3, 1).reshape(batch, -1, 4),
        )


class SSDMobileNet(Detector):
    """The detector.

    Parameters
    ----------
    classes
        Including the background, which is first.
    depth
        Depth multiplier.
    settings
        Selection of detections, and the input's scaling.
    own
        Names of optional buffers of the model: its own ``anchors``, and the ``….range`` of activations that are rounded to 8
        bits.
    """

    box_order = "yxyx"

    def __init__(
        self, classes: int = 91, depth: float = 1.0, settings: Settings | None = None, own: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.settings = settings or Settings()

        def width(channels: int) -> int:
            return int(channels * depth)

        self.backbone = nn.ModuleList([_first(width(_WIDTHS[0]))])
        for number, (channels, out) in enumerate(pairwise(_WIDTHS), 1):
            self.backbone.append(_block(width(channels), width(out), 2 if number in STRIDE_2 else 1))
        feeds = [width(_WIDTHS[number]) for number in FEATURES]
        self.extras = nn.ModuleList()
        for between, out in _EXTRAS:
            self.extras.append(_extra(feeds[-1], width(between), width(out)))
            feeds.append(width(out))
        rows = zip(feeds, MOBILENET_KINDS, strict=True)
        self.predictors = nn.ModuleList(Heads(channels, kinds, classes) for channels, kinds in rows)
        self.scores = Rounding()
        self.register_buffer("anchors", torch.from_numpy(mobilenet_anchors()), persistent="anchors" in own)
        for name in own:
            place, _, buffer = name.rpartition(".")
            if buffer == "range" and isinstance(layer := self._layer(place), Rounding):
                layer.range = torch.zeros(2)

    def _layer(self, name: str) -> nn.Module | None:
        try:
            return self.get_submodule(name)
        except AttributeError:
            return None

    def heads(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Raw outputs.

        Parameters
        ----------
        images
            (batch, 3, 300, 300), before the scaling of the settings.

        Returns
        -------
        scores, offsets
            (batch, 1917, classes) before the sigmoid, and (batch, 1917, 4): y, x, height, width.
        """
        settings = self.settings
        values = images if settings.input_offset == 0.0 else images - settings.input_offset
        values = values if settings.input_scale == 1.0 else values * settings.input_scale
        features = []
        for number, block in enumerate(self.backbone):
            values = block(values)
            if number in FEATURES:
                features.append(values)
        for extra in self.extras:
            values = extra(values)
            features.append(values)
        rows = [predictor(feature) for predictor, feature in zip(self.predictors, features, strict=True)]
        return torch.cat([scores for scores, _ in rows], 1), torch.cat([offsets for _, offsets in rows], 1)

    def selection(self) -> Rule:
        """How detections are selected."""
        return self.settings.rule

    def take_bytes(self) -> None:
        """Accept images as bytes: a network without its own scaling expects -1 to 1."""
        if self.settings.input_scale == 1.0:
            self.settings = replace(self.settings, input_offset=127.5, input_scale=1 / 127.5)

    def confidences(self, scores: Tensor) -> Tensor:
        """(batch, 1917, classes) scores of the heads to 0 to 1, without the background."""
        confidences: Tensor = self.scores(torch.sigmoid(scores[..., 1:]))
        return confidences

    def decode(self, offsets: Tensor) -> Tensor:
        """(batch, 1917, 4) offsets to corners ymin, xmin, ymax, xmax from 0 to 1."""
        anchors = cast(Tensor, self.anchors)
        centre = offsets[..., :2] / CODER[0] * anchors[:, 2:] + anchors[:, :2]
        half = torch.exp(offsets[..., 2:] / CODER[2]) * anchors[:, 2:] / 2
        return torch.cat([centre - half, centre + half], -1)

    def forward(self, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each image the boxes (n, 4) as ymin, xmin, ymax, xmax, scores (n,) and classes (n,), which count from 1."""
        scores, offsets = self.heads(images)
        boxes, confidences = self.decode(offsets), self.confidences(scores)
        found = [detect(rows, given, self.settings.rule) for rows, given in zip(boxes, confidences, strict=True)]
        return [(rows, given, kinds + 1) for rows, given, kinds in found]


def build(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> SSDMobileNet:
    """The network for the weights, without parameters.

    Parameters
    ----------
    tensors
        The weights by name. Their shapes determine the number of classes and the width of the layers; ``anchors`` and ranges of
        quantization become buffers.
    metadata
        ``input_offset``, ``input_scale`` and the rule of the selection; usual values if they are missing.
    """
    usual = Settings()
    settings = Settings(
        usual.rule.with_metadata(metadata), float(metadata.get("input_offset", 0)), float(metadata.get("input_scale", 1))
    )
    scores = tensors.get("predictors.0.classification.weight")
    classes = len(scores) // 3 if scores is not None else 91
    own = [name for name in tensors if name == "anchors" or name.endswith(".range")]
    return SSDMobileNet(classes, tensors[_FIRST].shape[0] / 32, settings, own)

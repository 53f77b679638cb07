"""SSD-ResNet34 at 1200 × 1200. The names of the parameters are those of MLPerf's resnet34-ssd1200.pytorch.

Sources: SSD (Liu et al., 2016); Deep Residual Learning (He et al., 2016), table 1; the model of the MLPerf benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from object_detection.models.anchors import RESNET34_KINDS, resnet34_anchors
from object_detection.models.detector import Detector
from object_detection.models.networks.ssd_resnet34_1200 import ADDITIONAL, CODER, HEAD_STRIDE, RULE
from object_detection.models.nms import detect
from object_detection.models.rule import Rule


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions with a skip connection."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)) if channels != out else None
        )

    def forward(self, values: Tensor) -> Tensor:
        """The block."""
        carried = values if self.downsample is None else self.downsample(values)
        inner = torch.relu(self.bn1(self.conv1(values)))
        return torch.relu(self.bn2(self.conv2(inner)) + carried)


class Backbone(nn.Module):
    """ResNet-34 up to its third stage, which has a stride of 1 here."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Sequential(*(BasicBlock(64, 64, 1) for _ in range(3))),
            nn.Sequential(BasicBlock(64, 128, 2), *(BasicBlock(128, 128, 1) for _ in range(3))),
        )
        self.layer2 = nn.Sequential(nn.Sequential(BasicBlock(128, 256, 1), *(BasicBlock(256, 256, 1) for _ in range(5))))

    def forward(self, values: Tensor) -> Tensor:
        """(batch, 3, 1200, 1200) to (batch, 256, 150, 150)."""
        features: Tensor = self.layer2(self.layer1(values))
        return features


class SSDResNet34(Detector):
    """The detector.

    Parameters
    ----------
    classes
        Including the background, which is first.
    rule
        The selection of detections.
    """

    box_order = "xyxy"

    def __init__(self, classes: int = 81, rule: Rule = RULE) -> None:
        super().__init__()
        self.classes, self.rule = classes, rule
        self.model = Backbone()
        feeds = [256]
        self.additional_blocks = nn.ModuleList()
        for between, out, stride, padding in ADDITIONAL:
            self.additional_blocks.append(
                nn.Sequential(
                    nn.Conv2d(feeds[-1], between, 1), nn.ReLU(), nn.Conv2d(between, out, 3, stride, padding), nn.ReLU()
                )
            )
            feeds.append(out)

        def heads(outputs: int) -> nn.ModuleList:
            rows = zip(feeds, RESNET34_KINDS, strict=True)
            return nn.ModuleList(nn.Conv2d(channels, kinds * outputs, 3, HEAD_STRIDE, 1) for channels, kinds in rows)

        self.loc, self.conf = heads(4), heads(classes)
        self.register_buffer("anchors", torch.from_numpy(resnet34_anchors()), persistent=False)

    def heads(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Raw outputs.

        Parameters
        ----------
        images
            (batch, 3, 1200, 1200), normalised as for ImageNet.

        Returns
        -------
        scores, offsets
            (batch, 15130, classes) before the softmax, and (batch, 15130, 4): x, y, width, height.
        """
        values = self.model(images)
        features = [values]
        for block in self.additional_blocks:
            values = block(values)
            features.append(values)
        batch = images.shape[0]  # not len(): the graph of the heads can be traced
        offsets = [head(row).reshape(batch, 4, -1) for head, row in zip(self.loc, features, strict=True)]
        scores = [head(row).reshape(batch, self.classes, -1) for head, row in zip(self.conf, features, strict=True)]
        return torch.cat(scores, 2).transpose(1, 2), torch.cat(offsets, 2).transpose(1, 2)

    def selection(self) -> Rule:
        """How detections are selected."""
        return self.rule

    def confidences(self, scores: Tensor) -> Tensor:
        """(batch, 15130, classes) scores of the heads to 0 to 1, without the background."""
        return torch.softmax(scores, -1)[..., 1:]

    def decode(self, offsets: Tensor) -> Tensor:
        """(batch, 15130, 4) offsets to corners xmin, ymin, xmax, ymax from 0 to 1."""
        anchors = cast(Tensor, self.anchors)
        centre = offsets[..., :2] * CODER[0] * anchors[:, 2:] + anchors[:, :2]
        half = torch.exp(offsets[..., 2:] * CODER[1]) * anchors[:, 2:] / 2
        return torch.cat([centre - half, centre + half], -1)

    def select(self, scores: Tensor, offsets: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Convert the heads to detections.

        Parameters
        ----------
        scores
            (batch, anchors, classes), before softmax; class 0 is the background.
        offsets
            (batch, anchors, 4).

        Returns
        -------
        list
            For each image boxes (n, 4), scores (n,) and classes (n,) from 1, in ascending order of the scores.
        """
        answers = []
        for given, boxes in zip(torch.softmax(scores, -1), self.decode(offsets), strict=True):
            rows, confidences, kinds = detect(boxes, given[:, 1:], self.rule)
            answers.append((rows.flip(0), confidences.flip(0), kinds.flip(0) + 1))
        return answers

    def forward(self, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each image the boxes (n, 4) as xmin, ymin, xmax, ymax, scores (n,) and classes (n,); n may be 0."""
        return self.select(*self.heads(images))


def build(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> SSDResNet34:
    """The network for the weights, without parameters.

    Parameters
    ----------
    tensors
        The weights by name. They are not used: all networks of this kind have the same shapes.
    metadata
        The rule of the selection; the reference's if it is missing.
    """
    return SSDResNet34(rule=RULE.with_metadata(metadata))

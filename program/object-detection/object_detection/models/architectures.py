"""The networks that are known: what PyTorch's modules and TensorFlow's graphs of them share, and how a file of weights tells
which it is of. No framework is imported.

Sources: ssd_mobilenet_v1_coco of TensorFlow's object detection API; MLPerf's resnet34-ssd1200.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from object_detection.errors import HarnessError


@dataclass(frozen=True)
class Rule:
    """How detections are selected.

    Attributes
    ----------
    score_above
        Candidates have more than this.
    iou
        Of two boxes of a class that overlap by more, the one with the lower score goes; with `from_iou` by as much already.
    candidates, total
        The most candidates of a class that are looked at, and detections of an image that are kept: the best ones.
    epsilon
        Added to the union's area.
    """

    score_above: float
    iou: float
    candidates: int
    total: int
    epsilon: float = 0.0
    from_iou: bool = False


SSD_MOBILENET = "ssd-mobilenet-v1"
SSD_RESNET34 = "ssd-resnet34-1200"
MOBILENET_STRIDE_2 = (2, 4, 6, 12)  # blocks
MOBILENET_FEATURES = (11, 13)  # blocks whose outputs have heads
MOBILENET_CODER = (10.0, 10.0, 5.0, 5.0)  # by which the offsets of y, x, height and width are divided
MOBILENET_RULE = Rule(score_above=0.3, iou=0.6, candidates=1917, total=1917, epsilon=1e-5)  # of the reference's PyTorch model

# of the additional blocks: channels between, channels out, stride and padding of the 3 × 3 convolution
RESNET34_ADDITIONAL = ((256, 512, 2, 1), (256, 512, 2, 1), (128, 256, 2, 1), (128, 256, 2, 0), (128, 256, 1, 0))
RESNET34_HEAD_STRIDE = 3
RESNET34_CODER = (0.1, 0.2)  # by which the offsets of the centre and of the size are multiplied
RESNET34_RULE = Rule(score_above=0.05, iou=0.5, candidates=200, total=200, from_iou=True)

FIRST_WEIGHT = {SSD_MOBILENET: "backbone.0.0.weight", SSD_RESNET34: "model.layer1.0.weight"}


def architecture_of(names: Collection[str], metadata: Mapping[str, str], source: object) -> str:
    """What the file's metadata says, else what its first weight tells."""
    found = metadata.get("architecture") or next((name for name, first in FIRST_WEIGHT.items() if first in names), "")
    if found not in FIRST_WEIGHT:
        raise HarnessError(
            f"{source} holds the weights of no network that is known ({found or next(iter(names), 'it is empty')})",
            f"known: {', '.join(FIRST_WEIGHT)}",
        )
    if FIRST_WEIGHT[found] not in names:
        raise HarnessError(f"{source} is not {found}: it lacks {FIRST_WEIGHT[found]}")
    return found

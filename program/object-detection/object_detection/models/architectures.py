"""The networks that are known, and how a file of weights tells which it is of."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from object_detection.errors import HarnessError

SSD_MOBILENET = "ssd-mobilenet-v1"
SSD_RESNET34 = "ssd-resnet34-1200"
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

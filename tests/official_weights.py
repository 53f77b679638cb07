"""Names and shapes of the weights in MLPerf's own PyTorch files, as a digest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

# count, and `digest` of ssd_mobilenet_v1.pytorch and resnet34-ssd1200.pytorch
OFFICIAL = {
    "ssd-mobilenet": (107, "c1864ee958248cbf52f40efc9770f133b9276bb6077250328bd6eb27134d4480"),
    "ssd-resnet34": (218, "eb9a962b6e56840800a417ea8426c6578bbec8140e5336d4516d8a90aa422e14"),
}


def digest(shapes: Mapping[str, Sequence[int]]) -> tuple[int, str]:
    """The number of weights, and the SHA-256 of their names and shapes in the order of names, as JSON."""
    content = json.dumps({name: list(shapes[name]) for name in sorted(shapes)})
    return len(shapes), sha256(content.encode()).hexdigest()

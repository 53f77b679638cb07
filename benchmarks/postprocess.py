"""From SSD-ResNet34's heads to detections, on one core, compared with a plain loop: ``python postprocess.py``; prints JSON.

One image: 15130 boxes × 81 classes. Scenes of rising crowds are made by a seeded generator: objects of one class each, with
many boxes around them that see them, on a background.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import torch
from object_detection.models.networks.ssd_resnet34_1200 import RULE
from object_detection.models.ssd_resnet34 import SSDResNet34

SCENES = {"10 objects": (10, 20), "40 objects": (40, 60), "80 objects": (80, 200)}  # objects, boxes for each
ROUNDS = 15


def scene(network: SSDResNet34, objects: int, boxes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Heads as the network gives them: scores (1, 15130, 81) before the softmax, and offsets (1, 15130, 4)."""
    draw = torch.Generator().manual_seed(objects)
    anchors = network.get_buffer("anchors")
    scores = torch.randn(1, 15130, 81, generator=draw)
    scores[..., 0] += 8
    for _ in range(objects):
        kind, centre = (int(torch.randint(low, high, (1,), generator=draw)) for low, high in ((1, 81), (0, 15130)))
        near = torch.topk(-((anchors - anchors[centre]) ** 2).sum(1), boxes).indices
        scores[0, near, kind] += 8 + 3 * torch.rand(boxes, generator=draw)
    return scores, torch.randn(1, 15130, 4, generator=draw) * 0.3


def plain(network: SSDResNet34, scores: torch.Tensor, offsets: torch.Tensor) -> int:
    """The selection class by class and box by box, as in the definition."""
    boxes, given = network.decode(offsets)[0], torch.softmax(scores, -1)[0]
    found = []
    for kind in range(1, 81):
        passed = given[:, kind] > RULE.score_above
        confidences, order = given[passed, kind].sort(descending=True)
        mine, confidences = boxes[passed][order][: RULE.candidates], confidences[: RULE.candidates]
        while len(mine):
            found.append(float(confidences[0]))
            near = torch.maximum(mine[0, :2], mine[1:, :2])
            sides = (torch.minimum(mine[0, 2:], mine[1:, 2:]) - near).clamp(min=0)
            common = sides.prod(1)
            union = (mine[0, 2:] - mine[0, :2]).prod() + (mine[1:, 2:] - mine[1:, :2]).prod(1) - common
            keep = common / union < RULE.iou
            mine, confidences = mine[1:][keep], confidences[1:][keep]
    return len(sorted(found)[-RULE.total :])


def median_ms(run: Callable[[], object]) -> float:
    rows = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        run()
        rows.append(time.perf_counter() - began)
    return 1e3 * statistics.median(rows[1:])


def main() -> None:
    torch.set_num_threads(1)
    network = SSDResNet34().eval()
    found = {}
    with torch.inference_mode():
        for name, (objects, boxes) in SCENES.items():
            heads = scene(network, objects, boxes)
            assert len(network.select(*heads)[0][1]) == plain(network, *heads)
            candidates = int((torch.softmax(heads[0], -1)[..., 1:] > RULE.score_above).sum())
            ours, loop = median_ms(lambda: network.select(*heads)), median_ms(lambda: plain(network, *heads))  # noqa: B023
            found[name] = {"candidates": candidates, "ours": ours, "loop": loop}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

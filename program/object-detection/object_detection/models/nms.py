"""Non-maximum suppression of all classes at once, without a loop over boxes or classes.

Greedy suppression in a class, in descending order of the scores, is the unique solution of ``kept[j] = no i < j with kept[i]
and IoU(i, j) over the bound``. Repeating that assignment from "all kept" determines at least one more box each time, and in
practice all of them within a few rounds; the result is exactly that of the greedy algorithm.
"""

from __future__ import annotations

import torch
from torch import Tensor

from object_detection.models.rule import Rule

_FIRST = 4  # candidates in the first step, for each wanted detection
_SMALL = 32  # classes with at most this number of candidates share one padded block; others get separate blocks


def detect(boxes: Tensor, scores: Tensor, rule: Rule) -> tuple[Tensor, Tensor, Tensor]:
    """Select the detections of one image.

    Parameters
    ----------
    boxes
        (anchors, 4): two opposite corners.
    scores
        (anchors, classes), without the background.

    Returns
    -------
    boxes, scores, classes
        (n, 4), (n,), (n,): in descending order of the scores; classes count from 0.
    """
    flat = torch.nonzero((scores > rule.score_above).view(-1)).view(-1)
    found = scores.reshape(-1)[flat]
    found, order = torch.sort(found, descending=True, stable=True)
    flat = flat[order]
    kept = flat.new_empty(0)
    # A box only depends on better ones, so the best candidates determine the best detections: others are only examined if there
    # are not enough.
    for first in (_FIRST * rule.total, len(flat)):
        anchor, kind = flat[:first] // scores.shape[1], flat[:first] % scores.shape[1]
        kept = torch.nonzero(_survivors(boxes[anchor], kind, scores.shape[1], rule)).view(-1)[: rule.total]
        if len(kept) == rule.total or first >= len(flat):
            break
    return boxes[flat[kept] // scores.shape[1]], found[kept], flat[kept] % scores.shape[1]


def _survivors(boxes: Tensor, kind: Tensor, classes: int, rule: Rule) -> Tensor:
    """Which boxes, in descending order of their scores, survive in their classes."""
    order = torch.argsort(kind, stable=True)  # by class, in each by score
    counts = torch.bincount(kind, minlength=classes)
    by_class = kind[order]
    rank = torch.arange(len(kind), device=kind.device) - (torch.cumsum(counts, 0) - counts)[by_class]
    within = rank < rule.candidates
    survive = torch.zeros(len(kind), dtype=torch.bool, device=kind.device)
    chosen = order[within]
    survive[chosen] = _kept(boxes[chosen], by_class[within], rank[within], counts.clamp(max=rule.candidates), rule)
    return survive


def _kept(boxes: Tensor, kind: Tensor, rank: Tensor, counts: Tensor, rule: Rule) -> Tensor:
    """Which of the boxes, sorted by class and score, survive."""
    kept = torch.ones(len(kind), dtype=torch.bool, device=boxes.device)
    small = [row for row, count in enumerate(counts.tolist()) if 1 < count <= _SMALL]
    groups = [small] if small else []
    groups += [[row] for row, count in enumerate(counts.tolist()) if count > _SMALL]
    slot = torch.full((len(counts),), -1, device=boxes.device)
    for classes in groups:
        slot.fill_(-1)
        slot[classes] = torch.arange(len(classes), device=boxes.device)
        rows = torch.nonzero(slot[kind] >= 0).view(-1)
        width = int(counts[classes].max())
        block = boxes.new_zeros(len(classes), width, 4)  # padded with empty boxes, which overlap nothing
        place = (slot[kind[rows]], rank[rows])
        block[place] = boxes[rows]
        kept[rows] = _suppress(block, rule)[place]
    return kept


def _suppress(block: Tensor, rule: Rule) -> Tensor:
    """(classes, n, 4) in descending order of the scores to (classes, n): which boxes are kept."""
    top, left, bottom, right = (block[..., corner].contiguous() for corner in range(4))
    area = (bottom - top).clamp(min=0) * (right - left).clamp(min=0)
    common = (torch.minimum(bottom[:, :, None], bottom[:, None]) - torch.maximum(top[:, :, None], top[:, None])).clamp_(min=0)
    across = torch.minimum(right[:, :, None], right[:, None]) - torch.maximum(left[:, :, None], left[:, None])
    common *= across.clamp_(min=0)
    bound = (area[:, :, None] + area[:, None]).sub_(common).add_(rule.epsilon).mul_(rule.iou)
    over = (common >= bound) & (common > 0) if rule.from_iou else common > bound
    over = over.triu(1)
    kept = torch.ones(block.shape[:2], dtype=torch.bool, device=block.device)
    while True:
        settled = ~(over & kept[:, :, None]).any(1)
        if torch.equal(settled, kept):
            return kept
        kept = settled

"""Confusions between classes, and calibration of scores: detections against objects at an IoU of 0.5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ck_repo.report.objects import Detections, Floats, Integers, Truth
from ck_repo.report.scoring import IGNORED, MATCHED, Scores

IOU = 0.5
SCORE = 0.3  # minimum score of detections in the confusion matrix
BINS = 10


@dataclass(frozen=True)
class Confusion:
    """Counts by true class (first index) and detected class (second index), in the order of `categories`.

    Attributes
    ----------
    counts
        The last line has detections without an object, the last column objects without a detection.
    """

    categories: tuple[int, ...]
    counts: Integers


@dataclass(frozen=True)
class Calibration:
    """For each tenth of the scores: detections, their mean score, and the share that is correct."""

    counts: Integers
    scores: Floats
    shares: Floats

    @property
    def error(self) -> float:
        """The expected calibration error, 0–1 (Naeini et al., AAAI 2015): the mean gap, weighted by the counts."""
        total = int(self.counts.sum())
        gaps = np.abs(self.scores - self.shares) * self.counts
        return float(gaps.sum() / total) if total else 0.0


def confusion(truth: Truth, found: Detections, scores: Scores) -> Confusion:
    """Assign detections to objects of any class, the highest scores first, each object once.

    Parameters
    ----------
    found
        Detections; those with a score below `SCORE`, and those in crowds, are ignored.

    Returns
    -------
    Confusion
        Counts (classes + 1, classes + 1): by class of the object, then of the detection; the last one is none.
    """
    categories = scores.categories
    number = {category: at for at, category in enumerate(categories)}
    none = len(categories)
    counts = np.zeros((none + 1, none + 1), dtype=np.int64)
    chosen = np.flatnonzero((found.score >= SCORE) & (scores.state != IGNORED))
    chosen = chosen[np.argsort(-found.score[chosen], kind="stable")]
    detections, objects = _by_image(found.image[chosen], chosen), _by_image(truth.image, np.arange(len(truth.image)))
    for image in truth.images:
        mine, its = objects.get(image, _NONE), detections.get(image, _NONE)
        mine = mine[~truth.crowd[mine]]
        free = np.ones(len(mine), dtype=bool)
        overlaps = iou(found.box[its], truth.box[mine]) if len(its) and len(mine) else np.zeros((len(its), len(mine)))
        for row, detection in enumerate(its):
            kind = number.get(int(found.category[detection]), none)
            candidates = np.where(free, overlaps[row], 0.0)
            same = truth.category[mine] == found.category[detection]
            best = _best(candidates, same)
            if best < 0:
                counts[none, kind] += 1
            else:
                free[best] = False
                counts[number[int(truth.category[mine[best]])], kind] += 1
        for item in mine[free]:
            counts[number[int(truth.category[item])], none] += 1
    return Confusion(categories, counts)


_NONE = np.zeros(0, dtype=np.int64)


def _best(overlaps: Floats, same: Integers) -> int:
    """The object of the same class with the largest overlap, else one of another class; -1 if no overlap is sufficient."""
    for candidates in (np.where(same, overlaps, 0.0), overlaps):
        if candidates.size and candidates.max() >= IOU:
            return int(candidates.argmax())
    return -1


def _by_image(images: Integers, rows: Integers) -> dict[int, Integers]:
    if not len(images):
        return {}
    order = np.argsort(images, kind="stable")
    ids, starts = np.unique(images[order], return_index=True)
    return dict(zip(ids.tolist(), np.split(rows[order], starts[1:]), strict=True))


def iou(one: Floats, other: Floats) -> Floats:
    """Intersection over union of all pairs of boxes.

    Parameters
    ----------
    one, other
        (n, 4) and (m, 4): x, y, width, height.

    Returns
    -------
    ndarray
        float64 (n, m), from 0 to 1; 0 for empty boxes.
    """
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    end = np.minimum((one[:, :2] + one[:, 2:])[:, None], (other[:, :2] + other[:, 2:])[None])
    common = np.prod(np.clip(end - corner, 0, None), axis=2)
    union = np.prod(one[:, 2:], axis=1)[:, None] + np.prod(other[:, 2:], axis=1)[None] - common
    overlaps: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlaps


def calibration(found: Detections, scores: Scores) -> Calibration:
    """How often detections with a score are correct.

    Returns
    -------
    Calibration
        For each of `BINS` equal ranges of scores from 0 to 1: number of detections, mean score, and share that matched an
        object
        at an IoU of 0.5. Those in crowds are ignored.
    """
    counted = scores.state != IGNORED
    values, right = found.score[counted], scores.state[counted] == MATCHED
    at = np.clip((values * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount(at, minlength=BINS)
    divisors = np.maximum(counts, 1)
    means = np.bincount(at, weights=values, minlength=BINS) / divisors
    shares = np.bincount(at, weights=right.astype(np.float64), minlength=BINS) / divisors
    return Calibration(counts, means, shares)

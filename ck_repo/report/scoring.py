"""COCO's metrics by class, size and IoU, and matches of detections: pycocotools, class by class, on all CPUs."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt

from ck_repo.report.objects import Detections, Floats, Integers, Truth

SIZES = ("all", "small", "medium", "large")  # COCO's size ranges: below 32², up to 96², above
IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
MATCHED, UNMATCHED, IGNORED = 1, 0, 2
_WORTH_SHARING = 50_000  # minimum number of detections for which other processes are started


@dataclass(frozen=True)
class Scores:
    """The accuracy of the detections.

    Attributes
    ----------
    categories
        Ids, in COCO's order.
    precision
        By IoU (0.5 to 0.95), recall (0 to 1 in 101 steps), category and size; -1 where there is no object.
    objects
        Number of objects by category and size, without crowds.
    state
        For each detection at an IoU of 0.5: `MATCHED`, `UNMATCHED` or `IGNORED` (it is in a crowd).
    partner
        For each detection, the index of its object; -1 if it has none.
    finder
        For each object, the index of the detection that found it at an IoU of 0.5; -1 if it was missed.
    """

    categories: tuple[int, ...]
    precision: Floats
    objects: Integers
    state: npt.NDArray[np.int8]
    partner: Integers
    finder: Integers

    def average(self, category: int | None = None, size: str = "all", iou: float | None = None) -> float | None:
        """AP as in pycocotools: the mean of the precisions over recall, and over IoUs and categories if none is given.

        Parameters
        ----------
        category
            Its id.
        size
            One of `SIZES`, by the object's area.
        iou
            One of `IOUS`, 0.5 to 0.95.

        Returns
        -------
        float or None
            From 0 to 1; None where there is no object.

        Raises
        ------
        ValueError
            If category, size or IoU is another one.
        """
        part = self.precision if iou is None else self.precision[[IOUS.index(iou)]]
        part = part[..., SIZES.index(size)]
        if category is not None:
            part = part[..., self.categories.index(category)]
        part = part[part > -1]
        return float(np.mean(part)) if part.size else None

    def count(self, category: int, size: str = "all") -> int:
        """Number of objects of a category."""
        return int(self.objects[self.categories.index(category), SIZES.index(size)])


def score(truth: Truth, found: Detections) -> Scores:
    """Score detections against annotations, in several processes if there are many detections.

    Returns
    -------
    Scores
        As pycocotools' COCOeval for boxes, with a maximum of 100 detections in an image.
    """
    categories = sorted(truth.categories)
    workers = min(os.cpu_count() or 1, len(categories), 8) if len(found) >= _WORTH_SHARING else 1
    shares = _shares(categories, found, workers)
    images = list(truth.images)
    tasks = [(share, images, *_of(truth, found, share)) for share in shares]
    if len(tasks) == 1:
        parts = [_judge(*tasks[0])]
    else:
        with ProcessPoolExecutor(len(tasks), mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_judge, *zip(*tasks, strict=True)))
    return _joined(categories, shares, parts, len(found), len(truth.image))


def _shares(categories: Sequence[int], found: Detections, workers: int) -> list[list[int]]:
    """The categories in groups with similar numbers of detections."""
    counts = {category: int(np.count_nonzero(found.category == category)) + 1 for category in categories}
    shares: list[list[int]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for category in sorted(categories, key=lambda each: -counts[each]):
        lightest = loads.index(min(loads))
        shares[lightest].append(category)
        loads[lightest] += counts[category]
    return [sorted(share) for share in shares if share]


def _of(truth: Truth, found: Detections, share: Sequence[int]) -> tuple[Any, ...]:
    """The entries of some categories, with their indices."""
    mine, its = np.flatnonzero(np.isin(truth.category, share)), np.flatnonzero(np.isin(found.category, share))
    return (
        mine, truth.image[mine], truth.category[mine], truth.box[mine], truth.area[mine], truth.crowd[mine],
        its, found.image[its], found.category[its], found.box[its], found.score[its],
    )  # fmt: skip


def _judge(
    categories: list[int], images: list[int], mine: Integers, image: Integers, category: Integers, box: Floats, area: Floats,
    crowd: npt.NDArray[np.bool_], its: Integers, found_image: Integers, found_category: Integers, found_box: Floats,
    scores: Floats,
) -> tuple[Floats, Integers, list[tuple[int, int, int]], list[tuple[int, int]]]:  # fmt: skip
    """COCOeval of some categories: precision, numbers of objects, states of detections, and indices of matches."""
    from pycocotools.coco import COCO

    from ck_repo.report.coco_judge import Judge

    with contextlib.redirect_stdout(io.StringIO()):
        truth, results = COCO(), COCO()
        truth.dataset = {
            "images": [{"id": each} for each in images],
            "categories": [{"id": each} for each in categories],
            "annotations": [
                {"id": row + 1, "image_id": int(i), "category_id": int(c), "bbox": b, "area": float(a), "iscrowd": int(k)}
                for row, i, c, b, a, k in zip(mine.tolist(), image, category, box.tolist(), area, crowd, strict=True)
            ],
        }
        truth.createIndex()
        results.dataset = {
            **truth.dataset,
            "annotations": [
                {
                    "id": row + 1, "image_id": int(i), "category_id": int(c), "bbox": b, "area": b[2] * b[3], "score": s,
                    "iscrowd": 0,
                }
                for row, i, c, b, s in zip(
                    its.tolist(), found_image, found_category, found_box.tolist(), scores.tolist(), strict=True
                )
            ],
        }  # fmt: skip
        results.createIndex()
        judge = Judge(truth, results, iouType="bbox")
        judge.params.imgIds, judge.params.catIds = sorted(images), sorted(categories)
        judge.params.maxDets = judge.params.maxDets[-1:]  # the maximum that AP uses; the others are for AR
        judge.evaluate()
        judge.accumulate()
    states, finders, counts = [], [], np.zeros((len(categories), len(SIZES)), dtype=np.int64)
    each_size = len(judge.params.imgIds)
    for number, row in enumerate(judge.evalImgs):
        if row is None:
            continue
        size = number // each_size % len(SIZES)
        counts[number // each_size // len(SIZES), size] += int(np.count_nonzero(np.asarray(row["gtIgnore"]) == 0))
        if size:
            continue
        for detection, partner, ignored in zip(row["dtIds"], row["dtMatches"][0], row["dtIgnore"][0], strict=True):
            state = IGNORED if ignored else MATCHED if partner else UNMATCHED
            states.append((int(detection) - 1, state, int(partner) - 1))
        for item, finder in zip(row["gtIds"], row["gtMatches"][0], strict=True):
            finders.append((int(item) - 1, int(finder) - 1))
    return judge.eval["precision"][..., -1], counts, states, finders


def _joined(
    categories: Sequence[int],
    shares: Sequence[Sequence[int]],
    parts: Sequence[tuple[Floats, Integers, list[tuple[int, int, int]], list[tuple[int, int]]]],
    detections: int,
    objects: int,
) -> Scores:
    precision = np.full((len(IOUS), 101, len(categories), len(SIZES)), -1.0)
    counts = np.zeros((len(categories), len(SIZES)), dtype=np.int64)
    state = np.full(detections, UNMATCHED, dtype=np.int8)
    partner, finder = np.full(detections, -1, dtype=np.int64), np.full(objects, -1, dtype=np.int64)
    for share, (values, numbers, states, finders) in zip(shares, parts, strict=True):
        at = [categories.index(category) for category in share]
        precision[:, :, at, :], counts[at] = values, numbers
        for row, value, its in states:
            state[row], partner[row] = value, its
        for row, its in finders:
            finder[row] = its
    return Scores(tuple(categories), precision, counts, state, partner, finder)

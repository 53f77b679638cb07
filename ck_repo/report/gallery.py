"""The gallery of a page: pictures with the boxes of one run, or of several on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ck_repo.report.objects import Detections, Floats, Integers, Truth
from ck_repo.report.pictures import BUDGET, Pictures, make_pictures
from ck_repo.report.scoring import UNMATCHED, Scores

LOWEST = 0.05  # minimum score of a box
_MAX_BOXES = ((1000, 40), (1 << 60, 25))  # by number of images: maximum boxes of a run in an image, the highest scores first
_MAX_IMAGES = 5000
_JUDGED_AT = 0.5  # score at which errors are counted


@dataclass(frozen=True)
class Judged:
    """A run's detections with their scores."""

    name: str
    found: Detections
    scores: Scores


@dataclass(frozen=True)
class Gallery:
    """The data for the page's script, and notes on what was omitted."""

    data: dict[str, object]
    notes: tuple[str, ...]


def make_gallery(truth: Truth, runs: Sequence[Judged], budget: int = BUDGET, first: Sequence[int] = ()) -> Gallery:
    """Collect the images, those with the most errors first.

    Parameters
    ----------
    runs
        Runs on the same images.
    budget
        Maximum bytes of pictures.
    first
        Ids of images to show first.
    """
    images = list(truth.images)
    errors = _errors(truth, runs[0])
    ahead = {image: at for at, image in enumerate(first)}
    order = sorted(range(len(images)), key=lambda at: (ahead.get(images[at], len(ahead)), -errors[at], at))
    order = order[:_MAX_IMAGES]
    chosen = [images[at] for at in order]
    pictures = make_pictures([truth.images[image] for image in chosen], budget)
    classes = {category: number for number, category in enumerate(truth.categories)}
    shown = next(boxes for limit, boxes in _MAX_BOXES if len(chosen) <= limit)
    boxes = [_Boxes(run, classes, shown) for run in runs]
    objects = _rows_by_image(truth.image)
    rows = []
    for at, image, picture in zip(order, chosen, pictures.rows, strict=True):
        about, mine = truth.images[image], objects.get(image, _NONE)
        rows.append(
            {
                "number": at, "name": about.name, "width": about.width, "height": about.height, "picture": picture.address,
                "why": picture.why, "objects": [_object(truth, int(row), classes) for row in mine],
                "runs": [{"boxes": each.of(image), "finders": each.finders(mine)} for each in boxes],
            }
        )  # fmt: skip
    notes = _notes(pictures, len(images), len(rows), sum(each.left_out for each in boxes), shown)
    data = {"classes": [truth.categories[key] for key in classes], "images": rows, "runs": [run.name for run in runs]}
    return Gallery(data, notes)


_NONE = np.zeros(0, dtype=np.int64)


class _Boxes:
    """The boxes of a run by image, in the format of the page."""

    def __init__(self, run: Judged, classes: dict[int, int], limit: int) -> None:
        self._run, self._classes, self._limit = run, classes, limit
        self.left_out = 0
        kept = np.flatnonzero(run.found.score >= LOWEST)
        kept = kept[np.argsort(-run.found.score[kept], kind="stable")]
        self._rows = _rows_by_image(run.found.image[kept], kept)

    def of(self, image: int) -> list[list[float | int]]:
        rows = self._rows.get(image, _NONE)
        self.left_out += max(0, len(rows) - self._limit)
        found = self._run.found
        return [
            [*_corners(found.box[row]), round(float(found.score[row]), 3), self._classes.get(int(found.category[row]), 0),
             int(self._run.scores.state[row])]
            for row in rows[: self._limit]
        ]  # fmt: skip

    def finders(self, objects: Integers) -> list[float]:
        """The score of the detection that found each object; -1 for missed ones."""
        finder = self._run.scores.finder[objects]
        return [round(float(self._run.found.score[row]), 3) if row >= 0 else -1 for row in finder]


def _object(truth: Truth, row: int, classes: dict[int, int]) -> list[float | int]:
    area = float(truth.area[row])
    size = 0 if area < 32**2 else 1 if area < 96**2 else 2
    return [*_corners(truth.box[row]), classes[int(truth.category[row])], size, int(truth.crowd[row])]


def _corners(box: Floats) -> list[float]:
    return [round(float(value), 1) for value in box]


def _rows_by_image(images: Integers, rows: Integers | None = None) -> dict[int, Integers]:
    rows = np.arange(len(images)) if rows is None else rows
    if not len(images):
        return {}
    order = np.argsort(images, kind="stable")
    ids, starts = np.unique(images[order], return_index=True)
    return dict(zip(ids.tolist(), np.split(rows[order], starts[1:]), strict=True))


def _errors(truth: Truth, run: Judged) -> list[int]:
    """Numbers of missed objects and false detections of each image, at a score of 0.5."""
    at = {image: number for number, image in enumerate(truth.images)}
    counts = [0] * len(at)
    finder = run.scores.finder
    seen = np.where(finder >= 0, run.found.score[np.maximum(finder, 0)] if len(run.found) else 0.0, -1.0)
    for image in truth.image[~truth.crowd & (seen < _JUDGED_AT)].tolist():
        counts[at[image]] += 1
    for image in run.found.image[(run.scores.state == UNMATCHED) & (run.found.score >= _JUDGED_AT)].tolist():
        counts[at[image]] += 1
    return counts


def _notes(pictures: Pictures, total: int, shown: int, boxes: int, limit: int) -> tuple[str, ...]:
    notes = [f"Pictures are scaled down to {pictures.side} pixels; boxes with a score below {LOWEST} are omitted."]
    if shown < total:
        notes.append(f"{total - shown:,} of {total:,} images are omitted: those with the fewest errors.")
    if pictures.left_out:
        notes.append(f"{pictures.left_out:,} images are listed without a picture, to keep the page small.")
    if pictures.unreadable:
        notes.append(f"{pictures.unreadable:,} images have no picture: their files cannot be read on this machine.")
    if boxes:
        notes.append(f"{boxes:,} boxes are omitted: an image shows the {limit} with the highest scores.")
    return tuple(notes)

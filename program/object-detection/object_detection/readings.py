"""Try other interpretations of a model's outputs on a few images if the results look wrong.

A model with boxes in pixels, another order of corners or classes that count from 0 runs without an error, but its mAP is near
0. This module decodes its outputs with each interpretation, and reports the options for the best one.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from object_detection.accuracy import as_coco
from object_detection.annotations import ImageList
from object_detection.backends.interface import activated, without_background
from object_detection.contract.results import Accuracy
from object_detection.detections import Rows
from object_detection.errors import HarnessError
from object_detection.image_cache import ImageCache
from object_detection.outputs import OutputCheck
from object_detection.progress import report
from object_detection.spec import Model, Spec
from object_detection.sut.library import SampleLibrary
from object_detection.sut.worker import Outputs, Worker

IMAGES = 20
_NEAR_ZERO, _LOW = 0.05, 0.2  # mAP below which results are suspicious, and the same for results with other suspicious values
_MORE, _TIMES = 0.05, 1.5  # minimum difference and ratio for an interpretation to be reported
_SECONDS = 30.0  # images for interpretations of the input, each of which runs the model again

_ORDERS = ("yxyx", "xyxy", "xywh", "cxcywh")
_UNITS = ("unit", "pixels", "image-pixels")
_CLASSES = (("category", 0), ("category", 1), ("category", -1), ("contiguous", 0), ("contiguous", 1))
_SCALINGS = ("none", "unit", "plus-minus-one", "imagenet")

Changes = Mapping[str, Any]
Tried = Sequence[tuple[int, Outputs]]  # sample index and raw outputs


class _Silent(OutputCheck):
    """Accepts every value: wrong interpretations show in their mAP."""

    def counts(self, indices: Sequence[int], counts: Any, limit: int) -> list[int]:
        """Numbers of detections, within the bounds."""
        return [int(np.clip(np.nan_to_num(value), 0, limit)) for value in counts.tolist()]

    def scores(self, rows: Rows) -> None:
        """Any score passes."""

    def score_values(self, index: int, values: Any) -> None:
        """Any score passes."""

    def finite(self, rows: Rows) -> None:
        """Any number passes."""

    def answers(self, rows: Rows) -> None:
        """Any detection passes."""


def is_doubtful(accuracy: Accuracy | None, odd: bool) -> bool:
    """Whether a run's outputs may have been misinterpreted: an mAP near 0, or suspicious outputs without a good one.

    Parameters
    ----------
    accuracy
        mAP from 0 to 1, or negative if it is undefined; None for a performance run.
    odd
        Whether the outputs were suspicious.
    """
    if accuracy is None or accuracy.mAP < 0:
        return odd
    return accuracy.mAP < (_LOW if odd else _NEAR_ZERO)


class Advisor:
    """Tries interpretations once in a run, whichever session requests it first.

    Parameters
    ----------
    spec, images, library
        Of the run.
    """

    def __init__(self, spec: Spec, images: ImageList, library: SampleLibrary) -> None:
        self._spec, self._images, self._library = spec, images, library
        self._lock, self._said = threading.Lock(), ""
        self._done = False

    def advice(self, worker: Worker) -> str:
        """The best interpretation, and the options for it; empty if there is none."""
        with self._lock:
            if not self._done:
                self._done = True
                with contextlib.suppress(HarnessError, KeyError, ValueError, OSError):
                    self._said = self._look(worker)
            return self._said

    def _look(self, worker: Worker) -> str:
        report("trying other interpretations of the model's outputs", 0, None)
        trial = _Trial(self._spec, self._images.first(IMAGES), worker)
        indices = range(len(trial.images))
        self._library.load(indices)
        began = time.monotonic()
        tried = [(index, worker.outputs([index])) for index in indices]
        seconds = time.monotonic() - began
        before = trial.score(tried, {})
        best, found = trial.best_of_outputs(tried)
        if found < _NEAR_ZERO and seconds * 2 * len(_SCALINGS) < _SECONDS:
            best, found = trial.best_of_inputs(best, found)
        if found < before + _MORE or found < before * _TIMES:
            return ""
        options = " ".join(f"--{name}={value}" for name, value in best.items())
        return (
            f"the first {len(tried)} images have mAP {found:.3f} instead of {before:.3f} if the model is registered with "
            f"{options} (`ck detect soft:… --full_path={self._spec.model.path} {options}`)"
        )


@dataclass
class _Trial:
    """Scores interpretations on a few images; interpretations of the input preprocess these again."""

    spec: Spec
    images: ImageList
    worker: Worker

    def __post_init__(self) -> None:
        from pycocotools.coco import COCO

        with contextlib.redirect_stdout(io.StringIO()):
            self._truth = COCO()
            self._truth.dataset = self.images.truth.as_coco(list(self.images.samples))
            self._truth.createIndex()

    def best_of_outputs(self, tried: Tried) -> tuple[Changes, float]:
        """The best interpretation of boxes, whatever their classes, then with it that of scores and classes."""
        model = self.spec.model
        boxes = [{"box_units": units, "box_order": order} for units in _UNITS for order in _ORDERS]
        boxes.append({"box_units": "cells", "box_order": "cxcywh"})
        kinds = [{"classes_are": are, "class_offset": offset} for are, offset in _CLASSES]
        chosen = max(_with_own(model, boxes), key=lambda row: self.score(tried, row, any_class=True))
        scores = list(_score_readings(model, tried))
        rows = [{**chosen, **kind, **score} for score in scores for kind in _with_own(model, kinds)]
        found = [(self.score(tried, row), row) for row in rows]
        value, best = max(found, key=lambda pair: pair[0])
        return {key: own for key, own in best.items() if own != getattr(model, key)}, value

    def best_of_inputs(self, changes: Changes, found: float) -> tuple[Changes, float]:
        """The best interpretation of the input, for a given interpretation of the outputs."""
        model = self.spec.model
        best = dict(changes), found
        scalings = [model.scaling] if model.dtype == "uint8" else _SCALINGS
        for colour in ("rgb", "bgr"):
            for scaling in scalings:
                own = {"colour": colour, "scaling": scaling}
                own = {key: value for key, value in own.items() if value != getattr(model, key)}
                if own:
                    value = self.score(self._run_with(own), changes)
                    best = max(best, ({**changes, **own}, value), key=lambda pair: pair[1])
        return best

    def _run_with(self, changes: Changes) -> Tried:
        changed = replace(self.spec, model=replace(self.spec.model, **changes))
        library = SampleLibrary(ImageCache(changed, self.images))
        indices = range(len(self.images))
        library.load(indices)
        return [(index, self.worker.outputs([index], library)) for index in indices]

    def score(self, tried: Tried, changes: Changes, *, any_class: bool = False) -> float:
        """mAP of an interpretation; 0 if it is invalid."""
        from pycocotools.cocoeval import COCOeval

        model = replace(self.spec.model, **changes)
        check, found = _Silent(model), {}
        try:
            for index, outputs in tried:
                own = _scores_read(self.spec.model, changes, outputs)
                rows = self.worker.answers(model, [index], own, check)[0]
                good = np.isfinite(rows).all(axis=1) & (rows[:, 3:5] > rows[:, 1:3]).all(axis=1)
                found[index] = rows[good][:, 1:]
            results = as_coco(found, self.images, model.classes_are)
        except HarnessError:
            return 0.0
        if not results:
            return 0.0
        with contextlib.redirect_stdout(io.StringIO()):
            judge = COCOeval(self._truth, self._truth.loadRes(results), iouType="bbox")
            judge.params.imgIds = [self.images.ids[index] for index, _ in tried]
            judge.params.areaRng, judge.params.areaRngLbl = judge.params.areaRng[:1], judge.params.areaRngLbl[:1]
            judge.params.useCats = 0 if any_class else 1
            judge.evaluate()
            judge.accumulate()
        precision = judge.eval["precision"]
        valid = precision[precision > -1]
        return float(valid.mean()) if len(valid) else 0.0


def _with_own(model: Model, rows: Sequence[Changes]) -> list[Changes]:
    """Interpretations, the model's own first, so that it is kept unless others are better."""
    own = {key: getattr(model, key) for key in rows[0]}
    return [own, *(row for row in rows if row != own)]


def _score_readings(model: Model, tried: Tried) -> Iterator[Changes]:
    """Interpretations of scores with one number for each class."""
    yield {}
    if tried[0][1][1].ndim == 3 and model.scores_are == "given" and model.background == "none":
        for activation in ("sigmoid", "softmax"):
            for background in ("none", "first", "last"):
                yield {"scores_are": activation, "background": background}
        yield {"background": "first"}
        yield {"background": "last"}


def _scores_read(model: Model, changes: Changes, outputs: Outputs) -> Outputs:
    """Outputs with the scores of another interpretation; a backend has applied the model's own."""
    boxes, scores, classes, counts = outputs
    if changes.get("scores_are", model.scores_are) != model.scores_are:
        scores = activated(scores, str(changes["scores_are"]))
    if changes.get("background", model.background) != model.background:
        scores = without_background(scores, str(changes["background"]))
    return boxes, scores, classes, counts

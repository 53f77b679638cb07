"""Check a model's outputs: invalid values fail the run, suspicious ones become remarks in its results.

A detector's scores are between 0 and 1, its boxes are finite and not inverted, its classes are integers that the data set or
COCO can have, and its counts are integers up to the number of detections. Detections beyond the count and below the profile's
minimum score are padding; for the latter only the scores are checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import ge, le
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from object_detection.backends import Array
from object_detection.errors import HarnessError
from object_detection.spec import Model

TOGETHER = 16  # images that runs check at once
_ROUNDING = 1e-3  # precision of 16-bit floats near 1: scores slightly above 1 and slightly inverted boxes are not errors
_FAR = 1.0  # distance from the image in image lengths; correct boxes may exceed the image slightly, boxes in pixels far more
_LARGEST_OF_COCO = 90  # largest category id of COCO, on which the profiles' networks are trained
_LARGEST_OF_TABLE = 100_000  # classes are looked up in a table up to this id
_HINT = (
    "check the model file, its conversion and its interface (`ck show model:NAME`); docs/own-model.md explains "
    "what each output may have"
)
_ORDERS = {
    "yxyx": "ymin, xmin, ymax, xmax",
    "xyxy": "xmin, ymin, xmax, ymax",
    "xywh": "xmin, ymin, width, height",
    "cxcywh": "the centre's x and y, width, height",
}
_SCORE, _CLASS = 5, 6  # columns of the answers
_CORNERS = slice(1, 5)
_UNKNOWN_CLASS, _OUTSIDE = "class", "outside"


class AnswerError(HarnessError):
    """An output that no detector can have, if the model's interface is right."""

    def with_advice(self, advice: str) -> AnswerError:
        """The same error with another hint, if there is one."""
        return AnswerError(self.what, advice or self.hint)


class OutputCheck:
    """Checks the outputs of one session.

    Parameters
    ----------
    model
        The names of the outputs, the order of corners and the kind of classes.
    categories
        Category ids of the data set; none if unknown.
    label
        Name of a sample in messages.
    together
        How many images are checked at once; `finish` checks the rest. The calls of NumPy take longer than their work on the
        detections of one image, so a check of many takes a fraction of the time.

    Attributes
    ----------
    odd
        Suspicious detections by kind: their number, and the first.
    """

    def __init__(
        self,
        model: Model,
        categories: Sequence[int] = (),
        label: Callable[[int], str] = "sample {}".format,
        together: int = 1,
    ) -> None:
        self._model, self._label, self._together = model, label, together
        self._pending: list[npt.NDArray[np.float32]] = []
        self._columns: list[npt.NDArray[np.float32]] = []
        self._names = (model.boxes, model.scores, model.classes, model.count or "the count")
        contiguous = model.classes_are == "contiguous"
        known = range(1, len(categories) + 1) if contiguous else categories
        largest = max(known, default=_LARGEST_OF_COCO)
        self._largest = largest if contiguous else max(largest, _LARGEST_OF_COCO)
        self._minimum = 1 if contiguous else model.class_offset  # 0 of the model
        # sorted ids; the infinite one is after every class, so that a search never ends beyond the array
        self._known = np.array([*sorted(known), math.inf]) if categories else None
        self.odd: dict[str, tuple[int, str]] = {}
        self._low = (-_FAR, -_FAR, 0.0, 0.0, -_ROUNDING, self._minimum)
        self._high = (1.0, 1.0, 1 + _FAR, 1 + _FAR, 1 + _ROUNDING, self._largest)
        self._classes = self._known_classes(known)

    def _known_classes(self, known: Sequence[int]) -> npt.NDArray[np.float32] | None:
        """By class: itself if it is known, else NaN; None if they are too many for a table."""
        if not 0 <= self._minimum <= self._largest <= _LARGEST_OF_TABLE:
            return None
        table = np.full(self._largest + 1, np.nan, dtype="<f4")
        at = [kind for kind in known if 0 <= kind <= self._largest] if self._known is not None else range(self._largest + 1)
        table[at] = at
        return table

    def add(self, found: Sequence[npt.NDArray[np.float32]], columns: npt.NDArray[np.float32]) -> None:
        """Check the detections of some images, now or with those of later images.

        Parameters
        ----------
        found
            (detections, 7) for each image. Those that do not exceed the model's minimum score may be among them.
        columns
            (6, detections): ymin, xmin, ymax, xmax, score, class of the same detections, and possibly of padding.

        Raises
        ------
        AnswerError
            If a detection is invalid, also one of an image that was added earlier.
        """
        self._pending += found
        self._columns.append(columns)
        if len(self._pending) >= self._together:
            self.finish()

    def finish(self) -> None:
        """Check the detections that were added and not checked yet."""
        if not self._pending:
            return
        found, columns = self._pending, self._columns
        self._pending, self._columns = [], []
        if self._clean(columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)):
            return
        rows = np.concatenate(found)
        if self._model.score_above is not None:
            self.scores(rows)
            rows = rows[rows[:, _SCORE] > self._model.score_above]
        self.answers(rows)

    def _clean(self, columns: npt.NDArray[np.float32]) -> bool:
        """Whether nothing in the columns is impossible or odd; if not, `answers` says what it is, or that nothing is."""
        if not columns.size:
            return True
        if self._classes is None:
            return False
        low, high = np.minimum.reduce(columns, axis=1).tolist(), np.maximum.reduce(columns, axis=1).tolist()
        if not (all(map(ge, low, self._low)) and all(map(le, high, self._high))):  # NaN compares false
            return False
        extents = (columns[2:4] - columns[:2]).ravel()
        if extents[extents.argmin()] < -_ROUNDING:
            return False
        kinds = columns[5]
        return bool(self._classes.take(kinds.astype(np.intp)).tobytes() == kinds.tobytes())

    def numbers(self, *outputs: Any) -> list[Array]:
        """Outputs as arrays of real numbers; other types are an error.

        Raises
        ------
        HarnessError
            If an output does not have real numbers.
        """
        found = []
        for name, output in zip(self._names, outputs, strict=False):
            array = np.asarray(output)
            if array.dtype.kind not in "fiu":
                raise HarnessError(f"the model's output {name} has the type {array.dtype}, not real numbers", _HINT)
            found.append(array)
        return found

    def shapes(self, images: int, boxes: Array, scores: Array, classes: Array) -> None:
        """Check that the shapes of outputs match.

        Parameters
        ----------
        images
            The number of images in the batch.
        boxes
            Expected: (images, n, 4).
        scores
            Expected: (images, n), or (images, n, classes).
        classes
            Expected: (images, n), or (images, n, 0) if scores are by class.

        Raises
        ------
        HarnessError
            If they do not; the message has the shapes.
        """
        rows = (images, *scores.shape[1:2])
        kinds = scores.ndim == 3 and classes.shape == (*rows, 0)
        if scores.shape[:2] != rows or boxes.shape != (*rows, 4) or not (kinds or scores.shape == classes.shape == rows):
            also = f", classes {classes.shape}" if classes.size else ""
            raise HarnessError(
                f"the model returned for {images} images boxes {boxes.shape}, scores {scores.shape}{also}", _HINT
            )

    def score_values(self, index: int, values: npt.NDArray[Any]) -> None:
        """Check the scores of one image before those below the minimum are dropped.

        Parameters
        ----------
        index
            The sample index of the image, for messages.
        values
            (n,).

        Raises
        ------
        AnswerError
            If a score is not between 0 and 1, within the precision of 16-bit floats.
        """
        if len(values) and not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):
            at = int(np.argmax(~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING))))
            self._refuse(index, self._names[1], f"{values[at]:g}", "not a score from 0 to 1")

    def finite(self, rows: npt.NDArray[np.float32]) -> None:
        """Check candidates before suppression, which could drop NaN."""
        if len(rows) and not math.isfinite(float(rows.sum(dtype=np.float64))):
            self._refuse_not_finite(rows)

    def counts(self, indices: Sequence[int], counts: Array, limit: int) -> list[int]:
        """Check the numbers of detections.

        Parameters
        ----------
        indices
            Sample index of each image.
        counts
            (images,): integers, possibly of a float type.
        limit
            The number of boxes of each image.

        Raises
        ------
        AnswerError
            If a number is not an integer from 0 to `limit`.
        """
        values = counts.tolist()
        for index, value in zip(indices, values, strict=True):
            if not (0 <= value <= limit and value == int(value)):  # NaN and infinity fail the first comparison
                self._refuse(index, self._names[3], value, f"not an integer from 0 to {limit}")
        return [int(value) for value in values]

    def scores(self, rows: npt.NDArray[np.float32]) -> None:
        """Check scores before those below the minimum are dropped, which would drop NaN, too."""
        if len(rows):
            values = rows[:, _SCORE]
            if not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):  # both are NaN if one score is
                self._refuse_score(rows)

    def answers(self, rows: npt.NDArray[np.float32]) -> None:
        """Check detections of any number of samples before they are passed to LoadGen."""
        if not len(rows):
            return
        low, high = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
        if not math.isfinite(sum(low) + sum(high)):
            self._refuse_not_finite(rows)
        if low[_SCORE] < -_ROUNDING or high[_SCORE] > 1 + _ROUNDING:
            self._refuse_score(rows)
        extents = rows[:, 3:5] - rows[:, 1:3]
        if extents.min() < -_ROUNDING:
            at = int(np.argmax((extents < -_ROUNDING).any(axis=1)))
            self._refuse_row(rows, at, 0, self._box(rows[at]), f"an inverted box (corners are {self._order})")
        kinds = rows[:, _CLASS]
        if low[_CLASS] < self._minimum or high[_CLASS] > self._largest or (kinds != np.rint(kinds)).any():
            wrong = (kinds < self._minimum) | (kinds > self._largest) | (kinds != np.rint(kinds))
            at = int(np.argmax(wrong))
            value = float(kinds[at]) - self._model.class_offset
            why = (
                f"not an integer from {self._minimum - self._model.class_offset} to {self._largest - self._model.class_offset}"
            )
            self._refuse_row(rows, at, 2, f"{value:g}", why)
        self._note_odd(rows, low, high)

    def _note_odd(self, rows: npt.NDArray[np.float32], low: list[float], high: list[float]) -> None:
        if self._known is not None:
            kinds = rows[:, _CLASS]
            unknown = np.asarray(self._known[np.searchsorted(self._known, kinds)] != kinds)
            if unknown.any():
                self._note(_UNKNOWN_CLASS, unknown, rows, lambda row: f"{row[_CLASS]:g}")
        far = min(low[_CORNERS]) < -_FAR or max(high[_CORNERS]) > 1 + _FAR
        if far or min(low[3:5]) < 0 or max(high[1:3]) > 1:
            boxes = rows[:, _CORNERS]
            far_off = (boxes < -_FAR) | (boxes > 1 + _FAR)
            far_off[:, 2:] |= boxes[:, 2:] < 0
            far_off[:, :2] |= boxes[:, :2] > 1
            beyond: npt.NDArray[np.bool_] = np.any(far_off, axis=1)
            if beyond.any():
                self._note(_OUTSIDE, beyond, rows, self._box)

    def _note(
        self,
        kind: str,
        odd: npt.NDArray[np.bool_],
        rows: npt.NDArray[np.float32],
        value: Callable[[npt.NDArray[np.float32]], str],
    ) -> None:
        count, first = self.odd.get(kind, (0, ""))
        if not first:
            row = rows[int(np.argmax(odd))]
            first = f"{value(row)} for {self._label(int(row[0]))}"
        self.odd[kind] = (count + int(odd.sum()), first)

    def take_odd(self) -> dict[str, tuple[int, str]]:
        """The suspicious detections so far; counted from 0 from now on."""
        odd, self.odd = self.odd, {}
        return odd

    @property
    def _order(self) -> str:
        return _ORDERS[self._model.box_order]

    def _box(self, row: npt.NDArray[np.float32]) -> str:
        """A box in the model's own order of corners."""
        ymin, xmin, ymax, xmax = row[_CORNERS].tolist()
        corners = (ymin, xmin, ymax, xmax) if self._model.box_order == "yxyx" else (xmin, ymin, xmax, ymax)
        return f"[{', '.join(f'{corner:g}' for corner in corners)}]"

    def _refuse_not_finite(self, rows: npt.NDArray[np.float32]) -> NoReturn:
        wrong = ~np.isfinite(rows)
        at = int(np.argmax(wrong.any(axis=1)))
        if wrong[at, _CORNERS].any():
            self._refuse_row(rows, at, 0, self._box(rows[at]), "not finite")
        column, name = (_SCORE, 1) if wrong[at, _SCORE] else (_CLASS, 2)
        self._refuse_row(rows, at, name, f"{rows[at, column]:g}", "not finite")

    def _refuse_score(self, rows: npt.NDArray[np.float32]) -> NoReturn:
        values = rows[:, _SCORE]
        at = int(np.argmax(~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING))))
        self._refuse_row(rows, at, 1, f"{values[at]:g}", "not a score from 0 to 1")

    def _refuse_row(self, rows: npt.NDArray[np.float32], at: int, name: int, value: str, why: str) -> NoReturn:
        self._refuse(int(rows[at, 0]), self._names[name], value, why)

    def _refuse(self, index: int, name: str, value: object, why: str) -> NoReturn:
        raise AnswerError(f"the model's output {name} for {self._label(index)} has {value}: {why}", _HINT)


_REMARKS = {
    _UNKNOWN_CLASS: "{count} detections have a class that the data set does not have, the first {first}",
    _OUTSIDE: "{count} boxes are outside their image, the first {first}; corners must be from 0 to 1, not in pixels",
}


def remarks(checks: Iterable[OutputCheck]) -> dict[str, str]:
    """Suspicious outputs of some sessions, one sentence for each kind; the counts are reset."""
    return remarks_about([check.take_odd() for check in checks])


def remarks_about(sessions: Iterable[Mapping[str, tuple[int, str]]]) -> dict[str, str]:
    """Suspicious outputs of some sessions, each as in `OutputCheck.odd`, one sentence for each kind."""
    found: dict[str, tuple[int, str]] = {}
    for odd in sessions:
        for kind, (count, first) in odd.items():
            before, earlier = found.get(kind, (0, first))
            found[kind] = (before + count, earlier)
    return {kind: _REMARKS[kind].format(count=count, first=first) for kind, (count, first) in sorted(found.items())}

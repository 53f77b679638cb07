"""Run samples through a backend and answer LoadGen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlperf_loadgen as lg
import numpy as np

from object_detection.asked import Slot
from object_detection.backends import Array, Backend
from object_detection.decode import decoded
from object_detection.detections import Rows, pack
from object_detection.outputs import AnswerError, OutputCheck
from object_detection.spec import Model
from object_detection.sut.library import SampleLibrary

Outputs = tuple[Array, Array, Array, Array | None]
HandOver = Callable[[Sequence[Any], Sequence[Rows]], None]  # samples as they were asked for, and their answers


def to_loadgen(samples: Sequence[lg.QuerySample], found: Sequence[Rows]) -> None:
    """Hand the answers of some samples to LoadGen."""
    lg.QuerySamplesComplete(
        [
            lg.QuerySampleResponse(sample.id, rows.__array_interface__["data"][0], rows.nbytes)
            for sample, rows in zip(samples, found, strict=True)
        ]
    )


class Worker:
    """A backend, and the library of its samples.

    Parameters
    ----------
    check
        Checks the outputs.
    slot
        Where the engine sees the backend's current batch.
    advise
        Suggests other interpretations of the outputs, if they are invalid.
    place
        The cores that the session is bound to; empty for any.
    hand_over
        Takes the answers of samples.

    Attributes
    ----------
    done
        Samples answered.
    """

    def __init__(
        self,
        model: Model,
        backend: Backend,
        library: SampleLibrary,
        check: OutputCheck | None = None,
        slot: Slot | None = None,
        advise: Callable[[Worker], str] = lambda worker: "",
        place: Sequence[int] = (),
        hand_over: HandOver = to_loadgen,
    ) -> None:
        self._model, self._backend, self._library = model, backend, library
        self.check = check or OutputCheck(model, label=library.label)
        self._slot, self._advise = slot or Slot(), advise
        self.place = place
        self._hand_over = hand_over
        self._step = backend.max_batch if model.size else 1
        self.done = 0

    def detect(self, indices: Sequence[int]) -> list[Rows]:
        """The detections of some samples, checked, in as many batches as the backend needs."""
        found = self._detect(indices)
        self.finish()
        return found

    def finish(self) -> None:
        """Check the detections that are not checked yet."""
        try:
            self.check.finish()
        except AnswerError as error:
            raise error.with_advice(self._advise(self)) from error

    def _detect(self, indices: Sequence[int]) -> list[Rows]:
        step = self._step or len(indices)
        answers: list[Rows] = []
        for first in range(0, len(indices), step):
            part = indices[first : first + step]
            self._slot.begin(part[0], len(part), self._library.name(part[0]))
            outputs = self.outputs(part)
            self._slot.end()
            try:
                answers += self.answers(self._model, part, outputs, self.check)
            except AnswerError as error:
                raise error.with_advice(self._advise(self)) from error
        return answers

    def outputs(self, indices: Sequence[int], library: SampleLibrary | None = None) -> Outputs:
        """Raw outputs for some samples; for a file with a fixed batch, the last sample is repeated to fill it.

        Parameters
        ----------
        library
            Where the samples are loaded, if not in the worker's own library.
        """
        images = self.inputs(indices, library or self._library)
        if len(images) == len(indices):
            return self.run(images)
        boxes, scores, classes, counts = self.run(images)
        count = len(indices)
        return boxes[:count], scores[:count], classes[:count], None if counts is None else counts[:count]

    def inputs(self, indices: Sequence[int], library: SampleLibrary) -> Array:
        """The inputs of a batch.

        Parameters
        ----------
        indices
            Sample indices, which the library has loaded.

        Returns
        -------
        ndarray
            (batch, …) in the model's layout and dtype. For a file of a fixed batch, the last image is repeated to fill it.
        """
        images = library.batch(indices)
        missing = getattr(self._backend, "fixed_batch", 0) - len(indices)  # backends of third parties may lack it
        return images if missing <= 0 else np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])

    def run(self, images: Array) -> Outputs:
        """The framework's outputs of a batch."""
        return self._backend.run(images)

    def waited(self, since: int, samples: int) -> None:
        """Called when samples are taken from the queue.

        Parameters
        ----------
        since
            When they were put into it: a time of `time.perf_counter_ns`.
        samples
            Their number.
        """

    def answers(self, model: Model, indices: Sequence[int], outputs: Outputs, check: OutputCheck) -> list[Rows]:
        """Outputs interpreted according to the model's interface.

        Parameters
        ----------
        model
            The interface.
        indices
            Sample indices of the batch.
        outputs
            Results of the backend.

        Returns
        -------
        list
            float32 (detections, 7) for each image; see `object_detection.detections`.

        Raises
        ------
        AnswerError
            If an output is invalid.
        """
        if model.is_plain:
            return pack(model, indices, *outputs, check)
        return decoded(model, indices, [self._library.frame(index) for index in indices], *outputs, check)

    @property
    def max_batch(self) -> int | None:
        """The maximum batch of the backend; None for any. Images of different sizes are run one by one."""
        return self._step

    @property
    def threads(self) -> int:
        """Number of threads of the backend; 0 if unknown."""
        return self._backend.threads

    def answer(self, samples: Sequence[Any]) -> None:
        """Detect, and pass the answers on; `finish` checks the last of them.

        Parameters
        ----------
        samples
            LoadGen's samples, or others with an `index`.
        """
        self.complete(samples, self._detect([sample.index for sample in samples]))
        self.done += len(samples)

    def complete(self, samples: Sequence[Any], found: Sequence[Rows]) -> None:
        """Pass answers on.

        Parameters
        ----------
        samples
            As for `answer`.
        found
            float32 (detections, 7) for each sample; see `object_detection.detections`.
        """
        self._hand_over(samples, found)

"""Run samples through a backend and answer LoadGen."""

from __future__ import annotations

from collections.abc import Sequence

import mlperf_loadgen as lg

from object_detection.asked import Slot
from object_detection.backends import Backend
from object_detection.detections import Rows, pack
from object_detection.outputs import OutputCheck
from object_detection.spec import Model
from object_detection.sut.library import SampleLibrary


class Worker:
    """One backend, and the samples that it draws from.

    Parameters
    ----------
    check
        Holds the outputs against what a detector can answer.
    slot
        Where the engine sees what the backend is running.

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
    ) -> None:
        self._model, self._backend, self._library = model, backend, library
        self.check = check or OutputCheck(model, label=library.label)
        self._slot = slot or Slot()
        self.done = 0

    def detect(self, indices: Sequence[int]) -> list[Rows]:
        """The detections of some samples, in as many batches as the backend needs."""
        step = self._backend.max_batch or len(indices)
        answers: list[Rows] = []
        for first in range(0, len(indices), step):
            part = indices[first : first + step]
            self._slot.begin(part[0], len(part), self._library.name(part[0]))
            outputs = self._backend.run(self._library.batch(part))
            self._slot.end()
            answers += pack(self._model, part, *outputs, self.check)
        return answers

    @property
    def max_batch(self) -> int | None:
        """The largest batch that the backend takes; None for any."""
        return self._backend.max_batch

    @property
    def threads(self) -> int:
        """With how many the backend computes; 0 where the framework does not tell."""
        return self._backend.threads

    def answer(self, samples: Sequence[lg.QuerySample]) -> None:
        """Detect, and hand the answers to LoadGen."""
        found = self.detect([sample.index for sample in samples])
        lg.QuerySamplesComplete(
            [
                lg.QuerySampleResponse(sample.id, rows.__array_interface__["data"][0], rows.nbytes)
                for sample, rows in zip(samples, found, strict=True)
            ]
        )
        self.done += len(samples)

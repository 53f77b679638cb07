"""SingleStream: each query is answered directly in LoadGen's own thread."""

from __future__ import annotations

from pathlib import Path

import mlperf_loadgen as lg

from object_detection.errors import fail
from object_detection.sut.worker import Worker


class InlineSUT:
    """Answers immediately."""

    def __init__(self, worker: Worker, folder: Path) -> None:
        self._worker, self._folder = worker, folder

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen."""
        try:
            self._worker.answer(samples)
        except BaseException as error:
            fail(error, self._folder)

    def flush(self) -> None:
        """Nothing is queued."""

    def close(self) -> None:
        """Check the last answers."""
        try:
            self._worker.finish()
        except BaseException as error:
            fail(error, self._folder)

    @property
    def done(self) -> int:
        """Samples answered."""
        return self._worker.done

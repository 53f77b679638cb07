"""Record which samples a test loads and in which order it issues them, which is equal for equal tests."""

from __future__ import annotations

import json
from pathlib import Path

import mlperf_loadgen as lg

from object_detection.loadgen import SUT
from object_detection.sut.library import Library

_KEPT = 1024  # maximum samples of the order: more of a long run would add no information


class OrderedSUT:
    """A system under test that records its samples.

    Attributes
    ----------
    loaded
        Indices of the loaded samples at the first query, in the order of loading.
    issued
        Indices of the first 1024 samples issued.
    queries, samples
        Their numbers.
    """

    def __init__(self, sut: SUT, library: Library) -> None:
        self._sut, self._library = sut, library
        self.loaded: list[int] = []
        self.issued: list[int] = []
        self.queries = self.samples = 0

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen."""
        self.queries += 1
        self.samples += len(samples)
        if len(self.issued) < _KEPT:
            self.loaded = self.loaded or self._library.loaded
            self.issued += [sample.index for sample in samples[: _KEPT - len(self.issued)]]
        self._sut.issue(samples)

    def flush(self) -> None:
        """Called by LoadGen."""
        self._sut.flush()

    @property
    def done(self) -> int:
        """Samples answered."""
        return self._sut.done

    def write(self, path: Path) -> None:
        """Write both lists as JSON."""
        path.write_text(json.dumps({"loaded": self.loaded, "issued": self.issued}) + "\n", encoding="utf-8")

"""Accuracy runs in parts: a process answers some batches, and the answers of all parts become one run's.

A part is a whole accuracy run of LoadGen whose other samples get empty answers, so that its batches are those of a run that is
not divided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlperf_loadgen as lg
import numpy as np

from object_detection.contract.spec import AccuracyPart
from object_detection.errors import HarnessError
from object_detection.loadgen import SUT
from object_detection.logs import ANSWERS
from object_detection.sut.library import SampleLibrary

_FILE = "part.json"


class PartLibrary:
    """The samples of a part; only they are loaded.

    Parameters
    ----------
    batch_size
        Samples are divided in batches, in the order in which they are loaded, which is that of an accuracy run's queries.

    Attributes
    ----------
    samples
        Indices of the part's samples so far.
    """

    def __init__(self, library: SampleLibrary, part: AccuracyPart, batch_size: int) -> None:
        self._library, self._part, self._batch_size = library, part, batch_size
        self._batches = 0
        self.samples: set[int] = set()
        self.loaded: list[int] = []

    def load(self, indices: Sequence[int]) -> None:
        """Load those of the samples that are the part's."""
        mine: list[int] = []
        for first in range(0, len(indices), self._batch_size):
            if self._batches % self._part.count == self._part.index:
                mine += indices[first : first + self._batch_size]
            self._batches += 1
        self._library.load(mine)
        self.samples.update(mine)
        self.loaded += indices

    def unload(self, indices: Sequence[int]) -> None:
        """Let go of samples."""
        self._library.unload(indices)
        gone = set(indices)
        self.loaded = [index for index in self.loaded if index not in gone]


class PartSUT:
    """Answers a part's samples with the model, and the others at once, with nothing."""

    def __init__(self, sut: SUT, library: PartLibrary) -> None:
        self._sut, self._library = sut, library

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen."""
        mine = [sample for sample in samples if sample.index in self._library.samples]
        others = [sample for sample in samples if sample.index not in self._library.samples]
        if mine:
            self._sut.issue(mine)
        if others:
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0) for sample in others])

    def flush(self) -> None:
        """Called by LoadGen."""
        self._sut.flush()

    @property
    def done(self) -> int:
        """Samples answered by the model."""
        return self._sut.done


class NoImages:
    """A library for answers that are known already: nothing is loaded."""

    def __init__(self) -> None:
        self.loaded: list[int] = []

    def load(self, indices: Sequence[int]) -> None:
        """Note the samples."""
        self.loaded += indices

    def unload(self, indices: Sequence[int]) -> None:
        """Forget the samples."""
        gone = set(indices)
        self.loaded = [index for index in self.loaded if index not in gone]


class AnsweredSUT:
    """Answers with what the parts have answered, in the order of the queries."""

    def __init__(self, answers: dict[int, bytes]) -> None:
        self._answers = answers
        self.done = 0

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen."""
        rows = [np.frombuffer(self._answers[sample.index], dtype=np.uint8) for sample in samples]
        lg.QuerySamplesComplete(
            [
                lg.QuerySampleResponse(sample.id, row.__array_interface__["data"][0], row.nbytes)
                for sample, row in zip(samples, rows, strict=True)
            ]
        )
        self.done += len(samples)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is to be stopped."""


@dataclass(frozen=True)
class Answers:
    """The answers of all parts: bytes as LoadGen gets them, by sample index; and their remarks."""

    by_sample: dict[int, bytes]
    remarks: tuple[str, ...]


def write_part(folder: Path, part: AccuracyPart, samples: Sequence[int], remarks: Sequence[str]) -> None:
    """Write which samples a part has answered, beside its accuracy log.

    Parameters
    ----------
    folder
        The run folder of the part.
    samples
        Sample indices, in any order.
    remarks
        Remarks on its outputs, which the merged run repeats.
    """
    content = {"index": part.index, "count": part.count, "samples": sorted(samples), "remarks": list(remarks)}
    (folder / _FILE).write_text(json.dumps(content) + "\n", encoding="utf-8")


def read_parts(folders: Sequence[Path], count: int) -> Answers:
    """The answers of the parts in some folders.

    Parameters
    ----------
    count
        How many samples the data set has.

    Raises
    ------
    HarnessError
        If a part cannot be read, a sample is in two parts, or in none.
    """
    found: dict[int, bytes] = {}
    remarks: dict[str, None] = {}
    for folder in folders:
        try:
            about: Mapping[str, Any] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            rows = json.loads((folder / "accuracy" / ANSWERS).read_text(encoding="utf-8"))
            data = {int(row["qsl_idx"]): bytes.fromhex(row["data"]) for row in rows}
            samples = [int(index) for index in about["samples"]]
            mine = {index: data[index] for index in samples}
            remarks |= dict.fromkeys(map(str, about["remarks"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HarnessError(f"{folder} does not hold a part's answers: {type(error).__name__} {error}") from error
        if double := sorted(found.keys() & mine.keys()):
            raise HarnessError(f"sample {double[0]} is answered by two parts, one of them in {folder}")
        found |= mine
    if missing := sorted(set(range(count)) - found.keys()):
        raise HarnessError(f"no part has answered sample {missing[0]}, and {len(missing) - 1} others")
    return Answers(found, tuple(remarks))

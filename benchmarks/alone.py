"""The harness with a framework that answers at once: ``python alone.py WHAT PAIRS SAMPLES [BATCH]``; prints JSON.

WHAT is ``offline``, ``singlestream`` or ``memory``, compared with LoadGen with a system under test in Python that does nothing,
or ``trace``, with LoadGen's trace and without. Each answer has 100 detections. Images have 8 × 8 pixels, because the bare
sessions of other measurements copy their inputs, too. Runs in the venv of the benchmark.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import mlperf_loadgen as lg
import numpy as np
from made_up import IMAGES, MODEL, SETTINGS, Images
from object_detection import loadgen, queries, summary
from object_detection.asked import Board
from object_detection.backends import Array
from object_detection.outputs import TOGETHER, OutputCheck
from object_detection.sut.inline import InlineSUT
from object_detection.sut.library import SampleLibrary
from object_detection.sut.order import OrderedSUT
from object_detection.sut.pool import PoolSUT
from object_detection.sut.worker import Worker

_DETECTIONS = 100


class Null:
    """A framework that answers at once."""

    max_batch: int | None = None
    threads = 1
    layout = "NHWC"

    def __init__(self) -> None:
        chance = np.random.default_rng(1)
        corners = chance.uniform(0, 0.5, (64, _DETECTIONS, 4)).astype(np.float32)
        corners[..., 2:] += 0.5
        self._boxes, self._scores = corners, chance.uniform(0, 1, (64, _DETECTIONS)).astype(np.float32)
        self._classes = chance.integers(1, 91, (64, _DETECTIONS)).astype(np.float32)
        self._counts = np.full(64, _DETECTIONS, np.float32)

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """The same answers every time."""
        count = len(images)
        return self._boxes[:count], self._scores[:count], self._classes[:count], self._counts[:count]


class NoSUT:
    """Completes every query with the same bytes, some samples at a time."""

    def __init__(self, batch: int) -> None:
        self._answer = np.zeros(7 * _DETECTIONS, np.float32)
        self._where, self._size, self._batch = self._answer.ctypes.data, self._answer.nbytes, batch
        self.done = 0

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen."""
        where, size = self._where, self._size
        for first in range(0, len(samples), self._batch):
            part = samples[first : first + self._batch]
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, where, size) for sample in part])
            self.done += len(part)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is to be stopped."""


@dataclass(frozen=True)
class Run:
    """What a run of LoadGen took: samples/s, CPU in µs a sample, median latency of a query in µs."""

    rate: float
    cpu: float
    latency: float


class Watched:
    """A system under test, with something done when so many queries have come."""

    def __init__(self, sut: loadgen.SUT, count: int, then: Callable[[], None]) -> None:
        self._sut, self._left, self._then = sut, count, then

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen."""
        self._left -= 1
        if not self._left:
            self._then()
        self._sut.issue(samples)

    def flush(self) -> None:
        """Called by LoadGen."""
        self._sut.flush()

    @property
    def done(self) -> int:
        """Samples answered."""
        return self._sut.done


def run(
    scenario: str,
    batch: int,
    samples: int,
    *,
    nothing: bool = False,
    trace: bool = False,
    at: tuple[int, Callable[[], None]] | None = None,
) -> Run:
    """One run of LoadGen over so many samples, of the harness or of nothing; `at` is done when so many queries have come."""
    library = SampleLibrary(Images())
    single = scenario == "singlestream"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sut: NoSUT | InlineSUT | PoolSUT
        if nothing:
            sut = NoSUT(batch)
        else:
            check = OutputCheck(MODEL, label=library.label, together=TOGETHER)
            worker = Worker(MODEL, Null(), library, check, Board(folder, 1).slot(0))
            sut = InlineSUT(worker, folder) if single else PoolSUT([worker], batch, folder)
        wanted = replace(SETTINGS, min_query_count=samples)
        settings = loadgen.settings_for(scenario, "performance", wanted, 1.0)
        driven: loadgen.SUT = sut if nothing else OrderedSUT(sut, library)
        driven = Watched(driven, *at) if at else driven
        began, cpu = time.perf_counter(), time.process_time()
        loadgen.run(scenario, "performance", settings, wanted, driven, library, IMAGES, folder, trace=trace)
        cpu = time.process_time() - cpu
        sut.close()
        found = summary.performance(folder, scenario)
        rate = found.samples_per_second or samples / (time.perf_counter() - began)
        return Run(rate, 1e6 * cpu / samples, 1e3 * found.latency_ms.get("p50", 0.0))


def turns(first: Callable[[], Run], second: Callable[[], Run], pairs: int) -> tuple[list[Run], list[Run]]:
    """Both in turns, so that a disturbance of the machine meets both."""
    ours: list[Run] = []
    theirs: list[Run] = []
    for turn in range(pairs):
        for rows, measure in ((ours, first), (theirs, second))[:: 1 if turn % 2 else -1]:
            rows.append(measure())
    return ours, theirs


def offline(pairs: int, samples: int, batch: int = 1) -> dict[str, Any]:
    """Samples/s of the harness with one session, and of nothing; CPU time of a sample in the harness, µs."""
    ours, bare = turns(partial(run, "offline", batch, samples), partial(run, "offline", batch, samples, nothing=True), pairs)
    return {
        "ours": statistics.median(row.rate for row in ours),
        "bare": statistics.median(row.rate for row in bare),
        "ratio": statistics.median(one.rate / other.rate for one, other in zip(ours, bare, strict=True)),
        "cpu": statistics.median(row.cpu for row in ours),
    }


def single_stream(pairs: int, samples: int) -> dict[str, Any]:
    """The median latency of a query, µs."""
    ours, bare = turns(partial(run, "singlestream", 1, samples), partial(run, "singlestream", 1, samples, nothing=True), pairs)
    return {
        "ours": statistics.median(row.latency for row in ours),
        "bare": statistics.median(row.latency for row in bare),
        "added": statistics.median(one.latency - other.latency for one, other in zip(ours, bare, strict=True)),
    }


def traced(pairs: int, samples: int) -> dict[str, Any]:
    """What LoadGen's trace adds: CPU time a sample, and the median latency of a query of SingleStream, µs."""
    found: dict[str, Any] = {"most": queries.FASTEST}
    for scenario in ("offline", "singlestream"):
        with_trace, without = turns(partial(run, scenario, 1, samples, trace=True), partial(run, scenario, 1, samples), pairs)
        rows = list(zip(with_trace, without, strict=True))
        found[scenario] = {
            "cpu": statistics.median(one.cpu - other.cpu for one, other in rows),
            "latency": statistics.median(one.latency - other.latency for one, other in rows),
        }
    return found


def memory(_: int, samples: int) -> dict[str, Any]:
    """By how much memory grows in SingleStream from a tenth of the samples to the last, bytes a sample; ours and nothing."""
    return {"bare": _growth(samples, nothing=True), "ours": _growth(samples, nothing=False)}


def _growth(samples: int, *, nothing: bool) -> float:
    sizes: list[int] = []
    run("singlestream", 1, samples, nothing=nothing, at=(samples // 10, lambda: sizes.append(_resident())))
    return (_resident() - sizes[0]) / (0.9 * samples)


def _resident() -> int:
    """Memory of this process, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    measures: dict[str, Callable[..., dict[str, Any]]] = {
        "offline": offline, "singlestream": single_stream, "trace": traced, "memory": memory
    }  # fmt: skip
    print(json.dumps(measures[sys.argv[1]](*map(int, sys.argv[2:]))))


if __name__ == "__main__":
    main()

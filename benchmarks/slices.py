"""The harness compared with the bare session, in one process: ``slices.py spec.json SCENARIO PAIRS SECONDS``; prints JSON.

On a shared machine the speed of one and the same session has phases that last for seconds. So the two take turns in short
slices, each with sessions of its own, and the median of the ratios slice by slice counts: a phase meets both halves of a pair.
The bare sessions are as many, with as many threads and as large a batch, as those of the harness; of ONNX Runtime as was
fastest for them among the layouts that the harness tries. SCENARIO is singlestream or offline. Runs in the venv of the
benchmark.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from bare import session
from object_detection import loadgen, summary, tuning
from object_detection.annotations import read_images
from object_detection.backends import framework
from object_detection.image_cache import ImageCache
from object_detection.layouts import Layout, cores, widths
from object_detection.spec import Spec, read_spec
from object_detection.sut.inline import InlineSUT
from object_detection.sut.library import SampleLibrary
from object_detection.sut.order import OrderedSUT
from object_detection.sut.pool import PoolSUT
from object_detection.sut.worker import Worker


class Harness:
    """The harness's own parts, driven by LoadGen for a slice at a time."""

    def __init__(self, spec: Spec, scenario: str, seconds: float) -> None:
        settings = replace(spec.loadgen, min_duration_ms=round(1000 * seconds))
        backend = framework(spec.model.backend, spec.device)
        self.limit = backend.load(spec.model, spec.device, 0).max_batch
        model = replace(spec.model, max_batch=self.limit)
        # the spec is of a run with a fixed layout, so that it was short: here it is chosen
        free = replace(spec, sessions=None, threads=None, batch_size=None, layout=None)
        self._spec = spec = replace(free, loadgen=settings, scenario=scenario, modes=("performance",), model=model)
        images = read_images(spec.dataset, spec.count)
        self._count = len(images)
        self.library = SampleLibrary(ImageCache(spec, images))

        def workers(sessions: int, threads: int) -> list[Worker]:
            return [Worker(spec.model, backend.load(spec.model, spec.device, threads), self.library) for _ in range(sessions)]

        chosen = tuning.choose_layout(spec, self.library, workers, self._count, backend.version())
        self.layout, self._team, self._rate = chosen.layout, chosen.team, chosen.rate

    def slice(self) -> float:
        """One run of LoadGen: the 90th percentile in ms, or samples/s."""
        spec = self._spec
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            single = spec.scenario == "singlestream"
            sut = InlineSUT(self._team[0], folder) if single else PoolSUT(self._team, self.layout.batch_size, folder)
            settings = loadgen.settings_for(spec.scenario, "performance", spec.loadgen, self._rate)
            ordered = OrderedSUT(sut, self.library)
            loadgen.run(spec.scenario, "performance", settings, spec.loadgen, ordered, self.library, self._count, folder)
            sut.close()
            found = summary.performance(folder, spec.scenario)
            return found.latency_ms["p90"] if single else found.samples_per_second or 0.0


class Bare:
    """Sessions alone."""

    def __init__(self, spec: Spec, images: np.ndarray, layout: Layout, seconds: float) -> None:
        self._images, self._layout, self._seconds = images, layout, seconds
        self._team = [session(spec.model, layout.threads) for _ in range(layout.sessions)]
        for run in self._team:
            run(images[: layout.batch_size])

    def latency(self) -> float:
        """90th percentile of one image's latency in one session, ms."""
        rows: list[float] = []
        end = time.perf_counter() + self._seconds
        while time.perf_counter() < end:
            at = len(rows) % len(self._images)
            began = time.perf_counter()
            self._team[0](self._images[at : at + 1])
            rows.append(time.perf_counter() - began)
        return float(np.percentile(rows, 90) * 1e3)

    def throughput(self) -> float:
        """Images/s of the sessions side by side, each in a thread of its own."""
        batch = self._layout.batch_size
        counts, ends = [0] * len(self._team), [0.0] * len(self._team)
        gate = threading.Barrier(len(self._team) + 1)

        def work(number: int) -> None:
            at = number
            gate.wait()
            end = time.perf_counter() + self._seconds
            while time.perf_counter() < end:
                first = (at * batch) % (len(self._images) - batch + 1)
                self._team[number](self._images[first : first + batch])
                counts[number] += batch
                at += len(self._team)
            ends[number] = time.perf_counter()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(self._team))]
        for thread in threads:
            thread.start()
        gate.wait()
        began = time.perf_counter()
        for thread in threads:
            thread.join()
        return sum(counts) / (max(ends) - began)


def best(spec: Spec, images: np.ndarray, limit: int | None) -> Layout:
    """The layout in which the bare sessions are fastest, of every layout that the harness's search could reach."""
    total = cores()
    sizes = [size for size in (1, 2, 4, 8, 16) if size <= (limit or size) and size <= len(images)]
    pairs = [(max(1, total // wide) * load, wide) for wide in widths(total) for load in (1, 2)]
    rows = [Layout(sessions, wide, size) for sessions, wide in dict.fromkeys(pairs) for size in sizes]
    rates: dict[Layout, float] = {}
    for turns in (1, 4):  # all of them once, then those that are close to the best, in turn as the harness does
        teams = {row: Bare(spec, images, row, 0.5) for row in rows}
        for row, team in list(teams.items()) * turns:
            rates[row] = rates.get(row, 0.0) + team.throughput()
        top = max(rates[row] for row in rows)
        rows = [row for row in rows if rates[row] > 0.9 * top]
    return max(rows, key=lambda row: rates[row])


def main() -> None:
    spec, scenario, pairs, seconds = read_spec(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    harness = Harness(spec, scenario, seconds)
    samples = list(range(min(64, len(read_images(spec.dataset, spec.count)))))
    harness.library.load(samples)
    images = np.stack([harness.library.batch([index])[0] for index in samples])
    harness.library.unload(samples)
    single = scenario == "singlestream"
    free = not single and spec.model.backend == "onnxruntime"
    alone = Bare(spec, images, best(spec, images, harness.limit) if free else harness.layout, seconds)
    ours: list[float] = []
    bare: list[float] = []
    for turn in range(pairs):
        halves: list[Callable[[], None]] = [
            lambda: ours.append(harness.slice()),
            lambda: bare.append(alone.latency() if single else alone.throughput()),
        ]
        for half in halves if turn % 2 else reversed(halves):
            half()
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if pairs > 1 else ratios * 3
    found = {"ours": statistics.median(ours), "bare": statistics.median(bare), "ratio": middle, "low": low, "high": high}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

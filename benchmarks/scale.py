"""The harness with many sessions: ``python scale.py CORES IMAGE_MS SECONDS``; prints JSON.

A machine of that many cores is made up: its sessions are frameworks that wait for a set time, without work for a processor, and
answer. So what is measured is what the harness itself can drive: Python's lock is the only thing that the sessions share.

``search`` is how long the search of a layout takes, with how many layouts, and how near to the best of all layouts it ends.
``offline`` is the rate of LoadGen's Offline scenario with a session of one thread on each core, over that of the frameworks.
``server`` is the median latency of a query in Server, at an eighth of that rate, compared with that of the framework alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from made_up import IMAGES, MODEL, SETTINGS, Images
from object_detection import loadgen, summary, tuning
from object_detection.backends import Array
from object_detection.contract.results import Performance
from object_detection.layouts import Layout, Space, widths
from object_detection.outputs import TOGETHER, OutputCheck
from object_detection.sut.library import SampleLibrary
from object_detection.sut.order import OrderedSUT
from object_detection.sut.pool import PoolSUT
from object_detection.sut.worker import Worker

_DETECTIONS = 10
_SERIAL = 0.1  # of an image's time, which one thread alone can work on
_CALL_MS = 0.5  # of a call, whatever the batch


def batch_ms(threads: int, batch: int, image_ms: float) -> float:
    """How long a batch takes on so many cores of its own."""
    return _CALL_MS + batch * image_ms * (_SERIAL + (1 - _SERIAL) / threads)


class Waiting:
    """A framework that waits as long as one of that many threads would compute, and longer if there are too few cores."""

    max_batch: int | None = None
    layout = "NHWC"

    def __init__(self, threads: int, image_ms: float, crowd: float) -> None:
        self.threads, self._image_ms, self._crowd = threads, image_ms, max(crowd, 1.0)
        chance = np.random.default_rng(1)
        self._boxes = np.tile(np.array([0.1, 0.1, 0.5, 0.5], np.float32), (64, _DETECTIONS, 1))
        self._scores = chance.uniform(0.1, 0.9, (64, _DETECTIONS)).astype(np.float32)
        self._classes = np.ones((64, _DETECTIONS), np.float32)
        self._counts = np.full(64, _DETECTIONS, np.float32)

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Wait, and give the same answers every time."""
        time.sleep(batch_ms(self.threads, len(images), self._image_ms) * self._crowd / 1e3)
        count = len(images)
        return self._boxes[:count], self._scores[:count], self._classes[:count], self._counts[:count]


def rate_of(layout: Layout, cores: int, image_ms: float) -> float:
    """Samples/s of a layout on the made-up machine."""
    crowd = max(layout.sessions * layout.threads / cores, 1.0)
    return 1e3 * layout.sessions * layout.batch_size / (batch_ms(layout.threads, layout.batch_size, image_ms) * crowd)


def search(cores: int, image_ms: float) -> dict[str, Any]:
    """The search of a layout on the made-up machine."""
    library = SampleLibrary(Images())
    library.load(list(range(IMAGES)))
    space = Space(cores, widths(cores))

    def make(sessions: int, threads: int) -> list[Worker]:
        crowd = sessions * threads / cores
        return [Worker(MODEL, Waiting(threads, image_ms, crowd), library) for _ in range(sessions)]

    began = time.perf_counter()
    chosen, _, _, rates = tuning.fastest(space, make, list(range(16)))
    seconds = time.perf_counter() - began
    grid = [space.layout(one, two, three) for one in range(len(space.threads)) for two in range(2) for three in range(5)]
    best = max(rate_of(layout, cores, image_ms) for layout in grid if layout)
    return {
        "seconds": round(seconds, 1),
        "layouts": len(rates),
        "chosen": str(chosen),
        "of_best": round(rate_of(chosen, cores, image_ms) / best, 3),
    }


def performance(cores: int, image_ms: float, batch: int, scenario: str, rate: float, seconds: float) -> Performance:
    """A scenario of LoadGen with a session on each core.

    Parameters
    ----------
    rate
        Samples/s that Server issues, and of which the number of samples follows.
    """
    library = SampleLibrary(Images())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        framework = Waiting(1, image_ms, 1.0)
        team = [Worker(MODEL, framework, library, OutputCheck(MODEL, together=TOGETHER)) for _ in range(cores)]
        sut = PoolSUT(team, batch, folder)
        wanted = replace(SETTINGS, min_query_count=int(rate * seconds), target_qps=rate, target_latency_ms=1e3)
        settings = loadgen.settings_for(scenario, "performance", wanted, rate)
        loadgen.run(scenario, "performance", settings, wanted, OrderedSUT(sut, library), library, IMAGES, folder)
        sut.close()
        return summary.performance(folder, scenario)


def offline(cores: int, image_ms: float, seconds: float, batch: int) -> dict[str, float]:
    """Offline with a session on each core: samples/s, and those of the frameworks alone."""
    possible = rate_of(Layout(cores, 1, batch), cores, image_ms)
    found = performance(cores, image_ms, batch, "offline", possible, seconds).samples_per_second or 0.0
    return {"possible": round(possible, 1), "found": round(found, 1), "ratio": round(found / possible, 3)}


def server(cores: int, image_ms: float, seconds: float) -> dict[str, float]:
    """Server at an eighth of the rate of the frameworks: median latency of a query, and that of the framework, ms."""
    bare = batch_ms(1, 1, image_ms)
    found = performance(cores, image_ms, 8, "server", rate_of(Layout(cores, 1, 1), cores, image_ms) / 8, seconds)
    return {"bare": bare, "found": round(found.latency_ms["p50"], 3)}


def main() -> None:
    cores, image_ms, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    threading.stack_size(256 << 10)
    rates = {str(size): offline(cores, image_ms, seconds, size) for size in (1, 8)}
    print(json.dumps({"search": search(cores, image_ms), "offline": rates, "server": server(cores, image_ms, seconds)}))


if __name__ == "__main__":
    main()

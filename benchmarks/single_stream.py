"""SingleStream beside the bare session, in one process: ``python single_stream.py spec.json pairs seconds``; prints JSON.

On a shared machine the latency of one and the same session has phases that last for seconds. So the two take turns in short
slices, each with a session of its own, and the median of the ratios slice by slice counts: a phase meets both halves of a pair.
Runs in the venv of the benchmark.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from bare import p90, session
from object_detection import loadgen, summary, tuning
from object_detection.annotations import read_images
from object_detection.backends import framework
from object_detection.image_cache import ImageCache
from object_detection.spec import Spec, read_spec
from object_detection.sut.inline import InlineSUT
from object_detection.sut.library import SampleLibrary
from object_detection.sut.worker import Worker


class Harness:
    """The harness's own parts, driven by LoadGen for a second or so at a time."""

    def __init__(self, spec: Spec, seconds: float) -> None:
        self._spec = replace(spec, loadgen=replace(spec.loadgen, min_duration_ms=round(1000 * seconds)))
        images = read_images(spec.dataset, spec.count)
        self._count = len(images)
        self.library = SampleLibrary(ImageCache(spec, images))
        backend = framework(spec.model.backend, spec.device)

        def workers(sessions: int, threads: int) -> list[Worker]:
            return [Worker(spec.model, backend.load(spec.model, spec.device, threads), self.library) for _ in range(sessions)]

        samples = list(range(min(16, self._count)))
        self.library.load(samples)
        rows = [tuning.Layout(1, wide, 1) for wide in tuning.widths()]
        self.layout, self._team, self._rate, _ = tuning.fastest(rows, workers, samples)
        self.library.unload(samples)

    def p90(self) -> float:
        """One run of LoadGen; the 90th percentile in ms."""
        spec = self._spec
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            sut = InlineSUT(self._team[0], folder)
            settings = loadgen.settings_for("singlestream", "performance", spec.loadgen, self._rate)
            loadgen.run("singlestream", "performance", settings, spec.loadgen, sut, self.library, self._count, folder)
            return float(summary.performance(folder, "singlestream")["latency_ms"]["p90"])


def main() -> None:
    spec, pairs, seconds = read_spec(Path(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])
    harness = Harness(spec, seconds)
    samples = list(range(min(64, len(read_images(spec.dataset, spec.count)))))
    harness.library.load(samples)
    images = np.stack([harness.library.batch([index])[0] for index in samples])
    harness.library.unload(samples)
    alone = session(spec.model.path, harness.layout.threads)
    ours, bare = [], []
    for turn in range(pairs):
        halves = [lambda: ours.append(harness.p90()), lambda: bare.append(p90(alone, spec.model.input, images, seconds))]
        for half in halves if turn % 2 else reversed(halves):
            half()
    print(
        json.dumps(
            {
                "ours": statistics.median(ours),
                "bare": statistics.median(bare),
                "ratio": statistics.median(a / b for a, b in zip(ours, bare, strict=True)),
                "ratios": [round(a / b, 3) for a, b in zip(ours, bare, strict=True)],
            }
        )
    )


if __name__ == "__main__":
    main()

"""Pre-processing and loading, compared with only decoding and resizing: ``images.py spec.json PAIRS IMAGES``; prints JSON.

``made`` is the cache of 300 × 300 images, made again; ``loaded`` are inputs of 1200 × 1200 floats, as LoadGen loads them for
SSD-ResNet34. Each is compared with a plain pool of threads that decodes and resizes the same images, as floats like the
reference, and keeps nothing. They take turns, and the median of the ratios counts. Runs in the venv of the benchmark.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from object_detection.annotations import ImageList, read_images
from object_detection.image_cache import ImageCache
from object_detection.spec import Spec, read_spec

_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def plain(images: ImageList, side: int) -> None:
    """Decode and resize every image, as floats."""

    def one(path: Path) -> int:
        image = np.asarray(cv2.imread(str(path)), np.float32)
        return int(cv2.resize(image, (side, side)).size)

    cv2.setNumThreads(1)
    with ThreadPoolExecutor(_CORES) as pool:
        list(pool.map(one, images.paths))


def made(spec: Spec, images: ImageList) -> None:
    """The cache of small images, in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        ImageCache(replace(spec, cache=Path(scratch)), images)


def loaded(spec: Spec, images: ImageList) -> None:
    """Large inputs, in memory."""
    ImageCache(spec, images).load(range(len(images)))


def compared(ours: Callable[[], None], bare: Callable[[], None], pairs: int) -> dict[str, float]:
    """Both in turns: median times in s, and the ratio of the speeds."""
    rows = []
    for number in range(pairs):
        first, second = (ours, bare) if number % 2 else (bare, ours)
        one, other = seconds(first), seconds(second)
        rows.append((one, other) if number % 2 else (other, one))
    return {
        "ours": statistics.median(one for one, _ in rows),
        "bare": statistics.median(other for _, other in rows),
        "ratio": statistics.median(other / one for one, other in rows),
    }


def main() -> None:
    spec, pairs, count = read_spec(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    small = read_images(spec.dataset, count)
    large = read_images(spec.dataset, min(count, 64))
    model = replace(spec.model, side=1200, dtype="float32", layout="NCHW", scaling="imagenet")
    found: dict[str, object] = {
        "made": compared(lambda: made(spec, small), lambda: plain(small, 300), pairs),
        "loaded": compared(lambda: loaded(replace(spec, model=model), large), lambda: plain(large, 1200), pairs),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

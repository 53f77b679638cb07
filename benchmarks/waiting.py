"""A framework that waits instead of computing, as a backend of the harness: its processes load it by an entry point.

Options: ``image_ms``, how long an image takes; ``call_ms``, a call; ``hold_us``, for how long a batch holds Python's lock.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from object_detection.backends import Array
from object_detection.spec import Model

NAME = "waiting"
_DETECTIONS = 10


def load(model: Model, device: str, threads: int, options: Mapping[str, str]) -> Waiting:
    """A session."""
    return Waiting(*(float(options[name]) for name in ("image_ms", "call_ms", "hold_us")))


def version() -> str:
    """Of the framework."""
    return "1"


def devices() -> Sequence[str]:
    """What it runs on."""
    return ["cpu"]


class Waiting:
    """A session, which gives the same answers every time."""

    max_batch: int | None = None
    layout, threads = "NHWC", 1

    def __init__(self, image_ms: float, call_ms: float, hold_us: float) -> None:
        self._image, self._call, self._hold = image_ms / 1e3, call_ms / 1e3, hold_us / 1e6
        self._boxes = np.tile(np.array([0.1, 0.1, 0.5, 0.5], np.float32), (64, _DETECTIONS, 1))
        self._scores = np.random.default_rng(1).uniform(0.1, 0.9, (64, _DETECTIONS)).astype(np.float32)
        self._classes = np.ones((64, _DETECTIONS), np.float32)
        self._counts = np.full(64, _DETECTIONS, np.float32)

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Wait, and hold the lock for the CPU time of this thread that is asked for."""
        count = len(images)
        time.sleep(self._call + count * self._image)
        end = time.thread_time() + self._hold
        while self._hold and time.thread_time() < end:
            pass
        return self._boxes[:count], self._scores[:count], self._classes[:count], self._counts[:count]


def install(folder: Path) -> None:
    """Make this module a backend of this process and of those that it starts: a distribution in a folder of the path."""
    info = folder / f"{NAME}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[ck_repo.backends]\n{NAME} = {NAME}\n")
    here = str(Path(__file__).resolve().parent)
    sys.path.append(str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([os.environ.get("PYTHONPATH", ""), here, str(folder)])


def options(image_ms: float, call_ms: float, hold_us: float = 0.0) -> dict[str, str]:
    """The options of a session, as a spec has them."""
    return {"image_ms": str(image_ms), "call_ms": str(call_ms), "hold_us": str(hold_us)}

"""The limit: ONNX Runtime sessions alone, on the same images, with nothing around them.

Runs in the venv of the benchmark: ``python bare.py spec.json seconds``; prints JSON. Every way to divide the cores among
sessions is measured, with single images and with the batches that the harness tries; what counts is the best.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from object_detection.annotations import read_images
from object_detection.preprocess import model_input
from object_detection.spec import read_spec
from object_detection.tuning import candidates


def session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def throughput(path: Path, name: str, images: np.ndarray, sessions: int, threads: int, batch: int, seconds: float) -> float:
    """Images/s of sessions side by side, each in a thread of its own."""
    team = [session(path, threads) for _ in range(sessions)]
    counts = [0] * sessions
    ends = [0.0] * sessions
    gate = threading.Barrier(sessions + 1)

    def work(number: int) -> None:
        at = number
        team[number].run(None, {name: images[:batch]})
        gate.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            first = (at * batch) % (len(images) - batch + 1)
            team[number].run(None, {name: images[first : first + batch]})
            counts[number] += batch
            at += sessions
        ends[number] = time.perf_counter()

    threads_ = [threading.Thread(target=work, args=(number,)) for number in range(sessions)]
    for thread in threads_:
        thread.start()
    gate.wait()
    begun = time.perf_counter()
    for thread in threads_:
        thread.join()
    return sum(counts) / (max(ends) - begun)


def p90(alone: ort.InferenceSession, name: str, images: np.ndarray, seconds: float) -> float:
    """90th percentile of one image's latency in one session, ms."""
    rows = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        at = len(rows) % len(images)
        begun = time.perf_counter()
        alone.run(None, {name: images[at : at + 1]})
        rows.append(time.perf_counter() - begun)
    return float(np.percentile(rows, 90) * 1e3)


def main() -> None:
    spec, seconds = read_spec(Path(sys.argv[1])), float(sys.argv[2])
    model = spec.model
    paths = read_images(spec.dataset, 64).paths
    images = np.stack([model_input(path, model.side, model.scaling, model.layout) for path in paths])
    shape = session(model.path, 1).get_inputs()[0].shape[0]
    limit = shape if isinstance(shape, int) else None
    found = {
        f"{row.sessions} x {row.threads} x {row.batch_size}": throughput(
            model.path, model.input, images, row.sessions, row.threads, row.batch_size, seconds
        )
        for row in candidates(None, None, None, limit)
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

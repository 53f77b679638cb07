"""How queries reach the sessions: in batches no larger than allowed, each sample once, and idle sessions wait for no one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

np = pytest.importorskip("numpy")
pytest.importorskip("mlperf_loadgen")
pytest.importorskip("cv2")

from object_detection.sut.inline import InlineSUT  # noqa: E402
from object_detection.sut.library import SampleLibrary  # noqa: E402
from object_detection.sut.pool import PoolSUT  # noqa: E402
from object_detection.sut.worker import Worker  # noqa: E402
from unit.harness.answers import MODEL, outputs  # noqa: E402


class Recorder:
    """Replaces a session; it answers when released."""

    place: tuple[int, ...] = ()

    def __init__(self, *, held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.done = 0
        self.began = threading.Event()
        self.go_on = threading.Event()
        if not held:
            self.go_on.set()

    def waited(self, since: int, samples: int) -> None:
        """Nothing is timed."""

    def finish(self) -> None:
        """Nothing is checked."""

    def answer(self, samples: Sequence[int]) -> None:
        self.batches.append(list(samples))
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        self.done += len(samples)


def pool(workers: Sequence[Recorder], batch_size: int, *, spread: bool = False) -> PoolSUT:
    return PoolSUT(workers, batch_size, Path("unused"), spread=spread)  # type: ignore[arg-type]


def test_offline_query_is_answered_in_batches() -> None:
    workers = [Recorder(), Recorder()]
    sut = pool(workers, 4)
    sut.issue(list(range(30)))
    sut.close()
    batches = workers[0].batches + workers[1].batches
    assert sorted(index for batch in batches for index in batch) == list(range(30))
    assert max(len(batch) for batch in batches) == 4
    assert sut.done == 30


def test_single_server_query_is_answered_immediately() -> None:
    worker = Recorder()
    sut = pool([worker], 8)
    sut.issue([3])
    assert worker.began.wait(PATIENCE)
    sut.close()
    assert worker.batches == [[3]]


def test_server_batches_grow_while_sessions_are_busy() -> None:
    worker = Recorder(held=True)
    sut = pool([worker], 4)
    sut.issue([0])
    assert worker.began.wait(PATIENCE)
    for index in range(1, 7):
        sut.issue([index])
    worker.go_on.set()
    sut.close()
    assert worker.batches == [[0], [1, 2, 3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("samples", "sessions", "sizes"), [(4, 2, {2}), (8, 2, {4}), (5, 2, {3, 2}), (2, 4, {1}), (20, 2, {8, 4})]
)
def test_multistream_query_is_split_among_sessions(samples: int, sessions: int, sizes: set[int]) -> None:
    workers = [Recorder() for _ in range(sessions)]
    sut = pool(workers, 8, spread=True)
    sut.issue(list(range(samples)))
    sut.close()
    batches = [batch for worker in workers for batch in worker.batches]
    assert {len(batch) for batch in batches} == sizes
    assert sorted(index for batch in batches for index in batch) == list(range(samples))


def test_singlestream_is_answered_in_calling_thread() -> None:
    worker = Recorder()
    sut = InlineSUT(worker, Path("unused"))  # type: ignore[arg-type]
    sut.issue([5])
    sut.flush()
    sut.close()
    assert worker.batches == [[5]]
    assert sut.done == 1


class Images:
    """Replaces the image cache."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def name(self, index: int) -> str:
        return f"{index}.png"

    def load(self, indices: Sequence[int]) -> list[Any]:
        self.asked += indices
        return [np.full((2, 2, 3), index, np.uint8) for index in indices]


def test_library_loads_and_unloads_samples_once() -> None:
    images = Images()
    library = SampleLibrary(images)  # type: ignore[arg-type]
    library.load([4, 7])
    library.load([7, 9])
    assert images.asked == [4, 7, 9]
    library.unload([7, 7])  # LoadGen pads a MultiStream set with samples that are already in it
    assert library.loaded == [4, 9]


def test_library_builds_batch_in_requested_order() -> None:
    library = SampleLibrary(Images())  # type: ignore[arg-type]
    library.load([1, 2, 3])
    assert library.batch([3, 1, 3])[:, 0, 0, 0].tolist() == [3, 1, 3]
    assert library.batch([2]).shape == (1, 2, 2, 3)


class Counter:
    """A backend that reports the sizes of its batches."""

    threads, layout = 1, "NHWC"

    def __init__(self, max_batch: int | None) -> None:
        self.max_batch = max_batch
        self.sizes: list[int] = []

    def run(self, images: Any) -> tuple[Any, Any, Any, None]:
        self.sizes.append(len(images))
        boxes, _, classes = outputs(len(images), 1)
        return boxes, images[:, 0, 0, :1].astype(np.float32) / 100, classes, None


@pytest.mark.parametrize(("limit", "sizes"), [(None, [5]), (2, [2, 2, 1]), (1, [1] * 5), (8, [5])])
def test_worker_respects_largest_batch(limit: int | None, sizes: list[int]) -> None:
    library = SampleLibrary(Images())  # type: ignore[arg-type]
    library.load(range(10))
    backend = Counter(limit)
    rows = Worker(MODEL, backend, library).detect([9, 2, 4, 0, 7])
    assert backend.sizes == sizes
    assert [row[0, 0] for row in rows] == [9, 2, 4, 0, 7]
    assert [round(100 * row[0, 5]) for row in rows] == [9, 2, 4, 0, 7]  # the image itself was unloaded with its index

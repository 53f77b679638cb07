"""Offline, Server and MultiStream: samples are queued, and one thread for each session takes batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import mlperf_loadgen as lg

from object_detection.errors import fail
from object_detection.placement import bound_to
from object_detection.sut.worker import Worker


class PoolSUT:
    """A pool of sessions.

    Parameters
    ----------
    workers
        One for each session.
    batch_size
        Maximum batch of a worker. It takes the queued samples and never waits for more, so an idle session answers a single
        Server query at once, and batches grow under load.
    spread
        Whether a query's samples are distributed evenly over the sessions, which reduces MultiStream's latency.
    """

    def __init__(self, workers: Sequence[Worker], batch_size: int, folder: Path, *, spread: bool = False) -> None:
        self._workers, self._batch_size, self._folder, self._spread = workers, batch_size, folder, spread
        self._waiting: deque[tuple[int, list[lg.QuerySample]]] = deque()  # with the time of the query
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, args=(worker,), daemon=True) for worker in workers]
        for thread in self._threads:
            thread.start()

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen: queue the samples."""
        size = self._batch_size
        if self._spread:
            size = min(size, -(-len(samples) // len(self._workers)))
        now = time.perf_counter_ns()
        chunks = [(now, samples[first : first + size]) for first in range(0, len(samples), size)]
        with self._changed:
            self._waiting.extend(chunks)
            self._changed.notify(len(chunks))  # waking every idle session for one query would cost more than the query

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Stop the threads; each checks its last answers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def done(self) -> int:
        """Samples answered."""
        return sum(worker.done for worker in self._workers)

    def _take(self, worker: Worker) -> list[lg.QuerySample]:
        """The next batch: whole chunks of the queue as long as they fit; empty when the pool is closed."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return []
                self._changed.wait()
            since, batch = self._waiting.popleft()
            worker.waited(since, len(batch))
            while not self._spread and self._waiting and len(batch) + len(self._waiting[0][1]) <= self._batch_size:
                since, more = self._waiting.popleft()
                worker.waited(since, len(more))
                batch = batch + more
            return batch

    def _work(self, worker: Worker) -> None:
        try:
            with bound_to(worker.place):
                while batch := self._take(worker):
                    worker.answer(batch)
                worker.finish()
        except BaseException as error:
            fail(error, self._folder)

"""A pool of sessions in several processes: the queue, and LoadGen's answers."""

from __future__ import annotations

import json
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from struct import Struct, unpack_from
from typing import Any

import mlperf_loadgen as lg
import numpy as np

from object_detection.errors import HarnessError, fail
from object_detection.processes.messages import (
    ANSWER_HEAD,
    ANSWERED,
    ANSWERED_HERE,
    FAILED,
    FOLDER,
    HEAD,
    REPORT,
    batch_message,
    json_message,
)
from object_detection.processes.process import Process
from object_detection.sut.profiled import Stages

_SLOT = Struct("<I")
_LOOK = 1.0  # s between two checks whether a process has ended; its children may keep the connection open


class ProcessPool:
    """A pool of sessions in several processes.

    Samples are queued here. A batch goes to the process with the most idle sessions; as long as more batches wait than there
    are sessions, each process has some in advance. One thread receives all answers: several would wait for Python's lock.

    Parameters
    ----------
    batch_size
        Maximum batch; what is queued is taken as in `object_detection.sut.pool.PoolSUT`.
    folder
        The run folder.
    """

    def __init__(self, processes: Sequence[Process], batch_size: int, folder: Path) -> None:
        self._processes, self._batch_size, self._folder = processes, batch_size, folder
        self._sessions = sum(len(each.seats) for each in processes)
        self._waiting: deque[tuple[int, list[lg.QuerySample]]] = deque()  # with the time of the query
        self._changed = threading.Condition()
        self._replies: dict[int, Any] = {}
        self._reports: list[Mapping[str, Any]] = []
        self._odd: list[Mapping[str, Any]] = []
        self._closed = self._begun = False
        self.done = 0
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def issue(self, samples: list[lg.QuerySample]) -> None:
        """Called by LoadGen: queue the samples, and hand out what can be."""
        try:
            size, now = self._batch_size, time.perf_counter_ns()
            chunks = [(now, samples[first : first + size]) for first in range(0, len(samples), size)]
            with self._changed:
                if not self._begun:
                    self._work_here()
                    self._begun = True
                self._waiting.extend(chunks)
                self._hand_out()
        except BaseException as error:
            fail(error, self._folder)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """End a test: the sessions check their last answers and report."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and self._idle)
        self._reports = [row for rows in self.ask([json_message(REPORT)] * len(self._processes)) for row in rows]
        self._work_here()
        self._begun = False
        self._odd = sorted([*self._odd, *self._reports], key=lambda row: int(row["session"]))

    def take_odd(self) -> list[Mapping[str, tuple[int, str]]]:
        """Suspicious detections of the sessions in the tests since the last call, each as in `outputs.OutputCheck`."""
        reports, self._odd = self._odd, []
        return [report["odd"] for report in reports]

    @property
    def stages(self) -> list[Stages]:
        """Where the time of each session went in the last test, if that is measured."""
        return [Stages(**report["stages"]) for report in self._reports if report["stages"]]

    def ask(self, messages: Sequence[bytes]) -> list[Any]:
        """Send each process a message and wait for the replies."""
        self._replies.clear()
        for process, message in zip(self._processes, messages, strict=True):
            process.send(message)
        with self._changed:
            self._changed.wait_for(lambda: len(self._replies) == len(self._processes))
            return [self._replies[number] for number in range(len(self._processes))]

    def _work_here(self) -> None:
        """Let the processes work in the folder of this one, which is LoadGen's during a test."""
        self.broadcast(json_message(FOLDER, os.getcwd()))

    def broadcast(self, message: bytes) -> None:
        """Send a message to all processes."""
        for process in self._processes:
            process.send(message)

    def end(self) -> None:
        """End the processes."""
        self._closed = True
        for process in self._processes:
            process.hang_up()
        self._thread.join()
        for process in self._processes:
            process.end()

    @property
    def _idle(self) -> bool:
        return all(process.room == len(process.seats) for process in self._processes)

    def _hand_out(self) -> None:
        """Send batches as long as there are some and a process has room."""
        waiting, size = self._waiting, self._batch_size
        messages: dict[Process, bytes] = {}
        while waiting:
            process = max(self._processes, key=_room)
            if process.room <= 0 and (process.room <= -process.ahead or len(waiting) <= self._sessions):
                break
            since, batch = waiting.popleft()
            if waiting and len(batch) + len(waiting[0][1]) <= size:
                total = since * len(batch)
                while waiting and len(batch) + len(waiting[0][1]) <= size:
                    since, more = waiting.popleft()
                    total += since * len(more)
                    batch = batch + more
                since = total // len(batch)
            slot = process.free.pop()
            process.asked[slot] = batch
            process.room -= 1
            process.answers.put_numbers(slot * process.slot_size, [sample.index for sample in batch])
            message = batch_message(slot, since, len(batch))
            messages[process] = messages[process] + message if process in messages else message
        for process, message in messages.items():
            process.send(message)

    def _receive(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                for number, process in enumerate(self._processes):
                    selector.register(process.channel.connection, selectors.EVENT_READ, number)
                looked = time.monotonic()
                while not self._closed:
                    ready = [key.data for key, _ in selector.select(_LOOK)]
                    for number in ready:
                        self._receive_from(number)
                    if time.monotonic() - looked > _LOOK:
                        looked = time.monotonic()
                        self._look(selector)
        except BaseException as error:
            if not self._closed:
                fail(error, self._folder)

    def _look(self, selector: selectors.BaseSelector) -> None:
        """End like a process that has ended without closing its connection, which something that it started keeps open."""
        ended = {number for number, process in enumerate(self._processes) if process.has_ended}
        if ended and not self._closed:
            for number in ended - {key.data for key, _ in selector.select(0)}:
                self._processes[number].end_like_it()

    def _receive_from(self, number: int) -> None:
        process = self._processes[number]
        data = process.channel.receive()
        if not data and not self._closed:
            process.end_like_it()
        responses: list[lg.QuerySampleResponse] = []
        slots: list[int] = []
        held: list[bytes] = []  # answers in messages, until LoadGen has them
        for kind, content in process.channel.messages(data):
            if kind in (ANSWERED, ANSWERED_HERE):
                slot = _SLOT.unpack_from(content)[0]
                samples = process.asked[slot]
                at = process.where + slot * process.slot_size
                if kind == ANSWERED_HERE:
                    held.append(content)
                    at = np.frombuffer(content, np.uint8).__array_interface__["data"][0] + _sizes_end(len(samples))
                for sample, size in zip(samples, unpack_from(f"<{len(samples)}I", content, _SLOT.size), strict=True):
                    responses.append(lg.QuerySampleResponse(sample.id, at, size))
                    at += size
                slots.append(slot)
            else:
                self._reply(number, kind, json.loads(content))
        if not slots:
            return
        lg.QuerySamplesComplete(responses)
        with self._changed:
            process.free += slots
            process.room += len(slots)
            self.done += len(responses)
            if self._waiting:
                self._hand_out()
            elif self._idle:
                self._changed.notify_all()

    def _reply(self, number: int, kind: int, content: Any) -> None:
        if kind == FAILED:
            error = HarnessError(*content)
            error.is_printed = True
            fail(error, self._folder)
        with self._changed:
            self._replies[number] = content
            self._changed.notify_all()


def _room(process: Process) -> int:
    return process.room


def _sizes_end(samples: int) -> int:
    """Where answers begin in a message's content that has them."""
    return ANSWER_HEAD - HEAD + 4 * samples

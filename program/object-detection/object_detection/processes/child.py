"""A process that has some of a run's sessions: it gets batches from the process that has LoadGen, and returns the answers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from object_detection.annotations import read_images
from object_detection.asked import Board
from object_detection.backends import framework
from object_detection.calibration import ranges_of
from object_detection.detections import Rows
from object_detection.errors import EXIT_STATUS, HarnessError, described
from object_detection.placement import bound_to
from object_detection.processes.images import ListedImages, LoadedElsewhere
from object_detection.processes.memory import Memory
from object_detection.processes.messages import (
    BATCH,
    FAILED,
    FOLDER,
    LOADED,
    PREPARE,
    RATE,
    READY,
    REPORT,
    REPORTED,
    START,
    UNLOADED,
    Channel,
    answer_message,
    json_message,
    long_answer_message,
    read_batch,
)
from object_detection.readings import Advisor
from object_detection.spec import Spec, read_spec
from object_detection.sut.profiled import ProfiledWorker
from object_detection.sut.sessions import Seat, Sessions, prepare
from object_detection.sut.worker import Worker
from object_detection.tuning import rate_of


@dataclass(frozen=True)
class Asked:
    """A sample of a batch."""

    index: int


class Batch(list[Asked]):
    """Samples, the slot of their answers, and when they were asked for."""

    def __init__(self, slot: int, since: int, indices: Sequence[int]) -> None:
        super().__init__(map(Asked, indices))
        self.slot, self.since = slot, since


class Child:
    """The sessions of this process, each with a thread.

    An idle session waits for messages itself, so a batch needs no other thread to begin; the other idle ones wait for their
    turn to do so.

    Parameters
    ----------
    spec
        The run's, as in spec.json.
    images, answers
        Memory of the process that has LoadGen.
    """

    def __init__(self, spec: Spec, channel: Channel, images: Memory, answers: Memory) -> None:
        self._spec, self._channel, self._images, self._answers = spec, channel, images, answers
        self._turn = threading.Lock()
        self._batches: deque[Batch] = deque()
        self._failing = threading.Lock()
        self._team: list[Worker] = []
        self._ended = False

    def run(self) -> None:
        """Load the sessions and answer batches until the connection ends."""
        try:
            while not self._team and not self._ended:
                self._read()
        except BaseException as error:
            self._fail(error)
        threads = [threading.Thread(target=self._work, args=(worker,), daemon=True) for worker in self._team]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _read(self) -> None:
        data = self._channel.receive()
        self._ended = not data
        for kind, content in self._channel.messages(data):
            if kind == BATCH:
                slot, since, samples = read_batch(content)
                self._batches.append(Batch(slot, since, self._answers.numbers(slot * self._slot_size, samples)))
            else:
                self._do(kind, json.loads(content))

    def _do(self, kind: int, content: Any) -> None:
        """Messages between tests: no session has a batch."""
        if kind == START:
            self._start(**content)
            self._channel.send(json_message(READY, {"threads": self._team[0].threads}))
        elif kind == LOADED:
            self._library.loaded_at(content["size"], content["places"])
        elif kind == UNLOADED:
            self._library.unload(content)
        elif kind == PREPARE:
            prepare(self._team, content)
            self._channel.send(json_message(READY))
        elif kind == RATE:
            self._channel.send(json_message(READY, rate_of(self._team, self._batch_size, content)))
        elif kind == FOLDER:
            os.chdir(content)
        elif kind == REPORT:
            self._channel.send(json_message(REPORTED, self._report()))

    def _start(
        self, model: Any, threads: int, seats: Sequence[Any], names: Sequence[str], sizes: Sequence[Any],
        categories: Sequence[int], batch_size: int, answers: int, slot_size: int, answers_at: int,
    ) -> None:  # fmt: skip
        spec = self._spec = replace(self._spec, model=replace(self._spec.model, **model))
        self._answers.attach(answers)
        self._slot_size, self._answers_at, self._batch_size = slot_size, answers_at, batch_size
        self._library = LoadedElsewhere(ListedImages(spec, names, sizes), self._images)
        ranges = ranges_of(spec.folder) if spec.calibration else None
        backend = framework(spec.model.backend, spec.device, spec.backend_options, ranges)
        self._advice: str | None = None
        self._advising = threading.Lock()
        board = Board(spec.folder, 0)
        sessions = Sessions(spec, backend, board, self._library, categories, self._advise, self._hand_over)
        self._seats = [Seat(number, tuple(place), device) for number, place, device in seats]
        self._team = sessions.load(self._seats, threads)

    def _advise(self, worker: Worker) -> str:
        """Other interpretations of the outputs, tried once."""
        with self._advising:
            if self._advice is None:
                self._advice = ""
                with contextlib.suppress(HarnessError):
                    images = read_images(self._spec.dataset, self._spec.count)
                    self._advice = Advisor(self._spec, images, self._library).advice(worker)
            return self._advice

    def _report(self) -> list[dict[str, object]]:
        """What each session saw since the last report."""
        found = []
        for seat, worker in zip(self._seats, self._team, strict=True):
            worker.finish()
            stages = asdict(worker.stages) if isinstance(worker, ProfiledWorker) else None
            found.append({"session": seat.number, "odd": worker.check.take_odd(), "stages": stages})
            if isinstance(worker, ProfiledWorker):
                worker.restart()
        return found

    def _take(self) -> Batch | None:
        """The next batch; None when the run is over."""
        with self._turn:
            while not self._batches and not self._ended:
                self._read()
            return self._batches.popleft() if self._batches else None

    def _work(self, worker: Worker) -> None:
        try:
            with bound_to(worker.place):
                while batch := self._take():
                    worker.waited(batch.since, len(batch))
                    worker.answer(batch)
        except BaseException as error:
            self._fail(error)

    def _hand_over(self, samples: Sequence[Any], found: Sequence[Rows]) -> None:
        """Put the answers of a batch into its slot, or into the message if they are larger."""
        assert isinstance(samples, Batch)
        sizes = [rows.nbytes for rows in found]
        if sum(sizes) > self._slot_size - self._answers_at:
            self._channel.send(long_answer_message(samples.slot, list(map(_bytes, found))))
            return
        self._answers.put(samples.slot * self._slot_size + self._answers_at, b"".join(map(_bytes, found)))
        self._channel.send(answer_message(samples.slot, sizes))

    def _fail(self, error: BaseException) -> NoReturn:
        """Report the cause of the failure and end the process."""
        self._failing.acquire()  # never released, as in `errors.fail`
        try:
            traceback.print_exception(error)
            failure = described(error)
            self._channel.send(json_message(FAILED, [failure.what, failure.hint]))
            self._channel.flush()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(EXIT_STATUS)


def _bytes(rows: Rows) -> bytes:
    return rows.tobytes()


def run(spec: Path, descriptors: Sequence[int]) -> None:
    """The program of the process.

    Parameters
    ----------
    descriptors
        Of the connection, the memory of images and that of answers.
    """
    for each in descriptors:
        os.set_inheritable(each, False)
    connection, images, answers = descriptors
    Child(read_spec(spec), Channel(socket.socket(fileno=connection)), Memory(None, images), Memory(None, answers)).run()

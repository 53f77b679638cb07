"""Load the sessions of a run: the model once for each, on its cores and device."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from object_detection import placement
from object_detection.asked import Board
from object_detection.backends import Framework
from object_detection.outputs import TOGETHER, OutputCheck
from object_detection.placement import Topology
from object_detection.spec import Spec
from object_detection.sut.library import SampleLibrary
from object_detection.sut.profiled import ProfiledWorker
from object_detection.sut.worker import HandOver, Worker, to_loadgen


@dataclass(frozen=True)
class Seat:
    """A session's number, which is that of its line in asked.txt, the cores it is bound to (empty for any), and its device."""

    number: int
    place: tuple[int, ...]
    device: str


def seats(spec: Spec, backend: Framework, topology: Topology, sessions: int, threads: int) -> list[Seat]:
    """The seats of so many sessions with so many threads each."""
    places = placement.places(topology, sessions, threads)
    devices = placement.devices(spec.device, backend.devices(), sessions)
    return [Seat(number, places[number], devices[number]) for number in range(sessions)]


@dataclass(frozen=True)
class Sessions:
    """What all sessions of a process have in common.

    Attributes
    ----------
    spec
        Its model is that of the file; see `backends.interface.as_loaded`.
    categories
        Category ids of the data set.
    advise, hand_over
        See `Worker`.
    """

    spec: Spec
    backend: Framework
    board: Board
    library: SampleLibrary
    categories: Sequence[int]
    advise: Callable[[Worker], str]
    hand_over: HandOver = to_loadgen

    def load(self, chosen: Sequence[Seat], threads: int) -> list[Worker]:
        """The sessions of some seats, loaded side by side.

        Parameters
        ----------
        threads
            Of each session; 0 for the framework's choice.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        with ThreadPoolExecutor(max(1, min(len(chosen), cores))) as pool:
            return list(pool.map(lambda seat: self._load(seat, threads), chosen))

    def _load(self, seat: Seat, threads: int) -> Worker:
        slot, model = self.board.slot(seat.number), self.spec.model
        with slot.loading(), placement.bound_to(seat.place):
            loaded = self.backend.load(model, seat.device, threads)
        check = OutputCheck(model, self.categories, self.library.label, TOGETHER)
        kind = ProfiledWorker if self.spec.profile else Worker
        return kind(model, loaded, self.library, check, slot, self.advise, seat.place, self.hand_over)


def prepare(team: Sequence[Worker], samples: Sequence[int]) -> None:
    """Run a batch in every session: the first one of a session takes longer, and belongs to no measurement."""
    with ThreadPoolExecutor(len(team)) as pool:
        list(pool.map(lambda worker: worker.detect(samples), team))

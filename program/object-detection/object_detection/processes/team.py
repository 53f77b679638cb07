"""The sessions of a run in several processes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from object_detection import outputs
from object_detection.annotations import ImageList
from object_detection.contract.results import Profile
from object_detection.layouts import Layout
from object_detection.processes.images import SharedImages
from object_detection.processes.memory import Memory
from object_detection.processes.messages import PREPARE, RATE, START, json_message
from object_detection.processes.pool import ProcessPool
from object_detection.processes.process import Process
from object_detection.progress import report
from object_detection.readings import Advisor
from object_detection.sut.profiled import profile_of
from object_detection.sut.sessions import Seat, Sessions
from object_detection.sut.team import ClosedSUT


class ProcessTeam:
    """Starts the processes and loads their sessions; see `object_detection.sut.team.Team`.

    Parameters
    ----------
    sessions
        Of the run. None of the samples of its library are loaded; from now on they are in memory that the processes share.
    seats
        Of all sessions.
    layout
        The batch, and the threads of each session.
    processes
        At most as many as seats.
    """

    def __init__(self, sessions: Sessions, images: ImageList, seats: Sequence[Seat], layout: Layout, processes: int) -> None:
        self._sessions, self._seats, self._layout = sessions, seats, layout
        spec = sessions.spec
        memory = Memory(spec.cache)
        report("starting processes", 0, None)
        path = spec.folder / "spec.json"
        team = [Process(path, own, layout.batch_size, memory, spec.cache) for own in distributed(seats, processes)]
        self._pool = ProcessPool(team, layout.batch_size, spec.folder)
        names = [path.name for path in images.paths]
        same = {
            "model": {"layout": spec.model.layout, "max_batch": spec.model.max_batch},
            "threads": layout.threads,
            "batch_size": layout.batch_size,
            "names": names,
            "sizes": images.sizes,
            "categories": images.categories,
        }
        ready = self._pool.ask([json_message(START, {**same, **_own(process)}) for process in team])
        self.threads, self.processes = int(ready[0]["threads"]), processes
        sessions.library.share(SharedImages(memory, self._pool.broadcast))

    def prepare(self, samples: Sequence[int]) -> None:
        """See `Team`."""
        self._pool.ask([json_message(PREPARE, list(samples))] * self.processes)
        self._forget()

    def rate(self, samples: Sequence[int]) -> float:
        """See `Team`."""
        rates = self._pool.ask([json_message(RATE, list(samples))] * self.processes)
        self._forget()
        return float(sum(rates))

    def _forget(self) -> None:
        """What was before a test does not belong to it."""
        self._pool.close()
        self._pool.take_odd()

    def sut(self) -> ClosedSUT:
        """See `Team`."""
        return self._pool

    def remarks(self) -> dict[str, str]:
        """See `Team`."""
        return outputs.remarks_about(self._pool.take_odd())

    def profile(self) -> Profile | None:
        """See `Team`."""
        return profile_of(self._pool.stages)

    def advice(self, advisor: Advisor) -> str:
        """See `Team`."""
        return advisor.advice(self._sessions.load(self._seats[:1], self._layout.threads)[0])

    def end(self) -> None:
        """See `Team`."""
        self._sessions.library.share(None)
        self._pool.end()


def _own(process: Process) -> dict[str, object]:
    """What is a process's own of the message that starts its sessions."""
    return {
        "seats": [[seat.number, seat.place, seat.device] for seat in process.seats],
        "answers": process.answers.size,
        "slot_size": process.slot_size,
        "answers_at": process.answers_at,
    }


def distributed(seats: Sequence[Seat], processes: int) -> list[list[Seat]]:
    """The seats of each process: as many as of the others, or one more, on as few devices and NUMA nodes as possible."""
    order = sorted(seats, key=lambda seat: (seat.device, seat.place, seat.number))
    ends = [len(order) * number // processes for number in range(processes + 1)]
    return [order[begin:end] for begin, end in pairwise(ends)]

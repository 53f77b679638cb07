"""The order of a campaign's runs: repetitions are interleaved, so that changes on the machine affect all cells equally."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ck_repo.campaign.hopeless import hopeless
from ck_repo.campaign.journal import DROPPED, FAILED, FOUND, IMPOSSIBLE, RUN, Event
from ck_repo.campaign.matrix import Cell
from ck_repo.experiments.figures import Figures, figures
from ck_repo.experiments.meta import ExperimentMeta
from ck_repo.run.options import RunOptions

_TRIES = 2  # number of failures before a cell is dropped


@dataclass(frozen=True)
class Job:
    """A run to make.

    Attributes
    ----------
    repetition
        Number of the repetition, from 1.
    machine
        The machine that has to make it; empty for any.
    """

    cell: Cell
    repetition: int
    machine: str = ""

    @property
    def options(self) -> RunOptions:
        """The options of the run. Accuracy is only measured in the first repetition, because it does not vary."""
        options = self.cell.options
        return replace(options, mode="performance") if self.repetition > 1 and "performance" in options.modes else options


class Queue:
    """The remaining runs.

    Parameters
    ----------
    machines
        Names of machines that each make every run; without any, each run is made once, on any machine.
    share
        Minimum share of speed; see `hopeless`.
    record
        Called with every event.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        repetitions: int,
        share: float,
        record: Callable[[Sequence[Event]], None],
        machines: Sequence[str] = (),
    ) -> None:
        self._cells, self._repetitions, self._share, self._record = cells, repetitions, share, record
        self._machines = tuple(machines) or ("",)
        self._done: dict[tuple[str, str], int] = defaultdict(int)
        self._failures: dict[tuple[str, str], int] = defaultdict(int)
        self._dropped: set[tuple[str, str]] = set()
        self._under_way: set[tuple[str, str]] = set()
        self._first: dict[str, dict[str, Figures]] = {machine: {} for machine in self._machines}
        self._without_first = {machine: {cell.key for cell in cells} for machine in self._machines}
        self._round, self._waiting = 0, deque[Job]()
        self._made, self._left = 0, len(cells) * repetitions * len(self._machines)

    def found(self, cell: Cell, machine: str, metas: Sequence[tuple[str, ExperimentMeta]]) -> None:
        """Use recorded runs for the cell's first repetitions.

        If each machine makes every run, those of other machines do not count.

        Parameters
        ----------
        machine
            The machine that made them.
        metas
            UID and meta of each; more than the number of repetitions are ignored.
        """
        place = "" if self._machines == ("",) else machine
        if place not in self._machines:
            return
        events = []
        for uid, meta in metas[: self._repetitions - self._done[cell.key, place]]:
            self._count(cell.key, place)
            events.append(Event(FOUND, cell.key, uid, self._done[cell.key, place], machine))
            self._note_first(cell, place, meta)
        self._record(events)

    def impossible(self, cell: Cell, why: str) -> None:
        """Drop a cell that cannot be planned."""
        self._record([Event(IMPOSSIBLE, cell.key, why=why)])
        for machine in self._machines:
            self._drop((cell.key, machine))

    def next(self) -> Job | None:
        """The next run that may start; None if there is none now.

        A cell has at most one run in progress on a machine. Every second round goes through the cells backwards, so that drift
        of the machine does not favour the first ones.
        """
        while True:
            for _ in range(len(self._waiting)):
                job = self._waiting.popleft()
                place = (job.cell.key, job.machine)
                if place in self._dropped or self._done[place] >= job.repetition:
                    continue
                if place not in self._under_way and self._done[place] == job.repetition - 1:
                    return job
                self._waiting.append(job)
            if self._waiting or self._round == self._repetitions:
                return None
            self._round += 1
            order = self._cells if self._round % 2 else reversed(self._cells)
            self._waiting.extend(Job(cell, self._round, machine) for cell in order for machine in self._machines)

    def begin(self, job: Job) -> None:
        """Mark a run as started."""
        self._under_way.add((job.cell.key, job.machine))

    def finished(self, job: Job, uid: str, meta: ExperimentMeta, machine: str, seconds: float) -> None:
        """Mark a run as recorded.

        Parameters
        ----------
        uid, meta
            Of its experiment.
        machine
            The machine that made it.
        seconds
            Its duration, for the estimates of later runs.
        """
        place = (job.cell.key, job.machine)
        self._under_way.discard(place)
        self._count(*place)
        self._failures[place] = 0
        self._record([Event(RUN, job.cell.key, uid, job.repetition, machine, seconds=round(seconds, 1))])
        self._note_first(job.cell, job.machine, meta)

    def failed(self, job: Job, why: str, machine: str) -> None:
        """Handle a failed run: the cell is tried once more, and then dropped.

        Parameters
        ----------
        why
            The reason, in one line.
        machine
            The machine that it failed on.
        """
        place = (job.cell.key, job.machine)
        self._under_way.discard(place)
        self._failures[place] += 1
        events = [Event(FAILED, job.cell.key, repetition=job.repetition, machine=machine, why=why)]
        if self._failures[place] >= _TRIES:
            events.append(Event(DROPPED, job.cell.key, machine=job.machine, why=f"failed {_TRIES} times"))
        else:
            self._waiting.append(job)
        self._record(events)
        if self._failures[place] >= _TRIES:
            self._drop(place)

    def given_back(self, job: Job) -> None:
        """Handle a run that did not take place: it has to be repeated."""
        self._under_way.discard((job.cell.key, job.machine))
        self._waiting.appendleft(job)

    def counts(self) -> tuple[int, int]:
        """How many runs there are, and how many are still to be made."""
        return self._made, self._left

    def _count(self, key: str, machine: str) -> None:
        """A run was made."""
        self._done[key, machine] += 1
        self._made += 1
        if (key, machine) not in self._dropped:
            self._left -= 1

    def _give_up(self, place: tuple[str, str]) -> None:
        """No further runs of a cell on a machine."""
        if place not in self._dropped:
            self._dropped.add(place)
            self._left -= self._repetitions - self._done[place]

    def _note_first(self, cell: Cell, machine: str, meta: ExperimentMeta) -> None:
        if cell.key in self._first[machine]:
            return
        self._first[machine][cell.key] = figures(meta)
        self._without_first[machine].discard(cell.key)
        self._drop_hopeless(machine)

    def _drop(self, place: tuple[str, str]) -> None:
        key, machine = place
        self._give_up(place)
        self._without_first[machine].discard(key)
        self._drop_hopeless(machine)

    def _drop_hopeless(self, machine: str) -> None:
        """Drop cells that cannot be the best, after the first run of every cell."""
        if self._without_first[machine] or not self._share:
            return
        reasons = hopeless(self._first[machine], self._share)
        places = [(key, machine) for key in reasons]
        new = [place for place in places if place not in self._dropped and self._done[place] < self._repetitions]
        for place in new:
            self._give_up(place)
        self._record([Event(DROPPED, key, machine=machine, why=reasons[key]) for key, _ in new])

"""The order of a campaign's runs: repetitions are interleaved, so that changes on a machine affect all cells equally."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Container, Sequence
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
        self._record = record
        self._lines = {name: _Line(name, cells, repetitions, share, record) for name in tuple(machines) or ("",)}

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
        if line := self._lines.get("") or self._lines.get(machine):
            line.found(cell, machine, metas)

    def impossible(self, cell: Cell, why: str) -> None:
        """Drop a cell that cannot be planned."""
        self._record([Event(IMPOSSIBLE, cell.key, why=why)])
        for line in self._lines.values():
            line.drop(cell.key)

    def next(self, free: Container[str] | None = None) -> Job | None:
        """The next run that may start; None if there is none now.

        A cell has at most one run in progress on a machine.

        Parameters
        ----------
        free
            The machines that may begin one, all if None; not used if any machine makes any run.
        """
        for name, line in self._lines.items():
            if (not name or free is None or name in free) and (job := line.next()):
                return job
        return None

    def begin(self, job: Job) -> None:
        """Mark a run as started."""
        self._lines[job.machine].begin(job)

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
        self._lines[job.machine].finished(job, uid, meta, machine, seconds)

    def failed(self, job: Job, why: str, machine: str) -> None:
        """Handle a failed run: the cell is tried once more, and then dropped.

        Parameters
        ----------
        why
            The reason, in one line.
        machine
            The machine that it failed on.
        """
        self._lines[job.machine].failed(job, why, machine)

    def given_back(self, job: Job) -> None:
        """Handle a run that did not take place: it has to be repeated."""
        self._lines[job.machine].given_back(job)

    def counts(self) -> tuple[int, int]:
        """How many runs there are, and how many are still to be made."""
        return sum(line.made for line in self._lines.values()), sum(line.left for line in self._lines.values())


class _Line:
    """The remaining runs of one machine, or those that any machine makes.

    Every round has one run of each cell. A line has its own rounds, so that no machine waits for another.

    Parameters
    ----------
    machine
        Its name; empty for any.

    Attributes
    ----------
    made, left
        Numbers of runs.
    """

    def __init__(
        self, machine: str, cells: Sequence[Cell], repetitions: int, share: float, record: Callable[[Sequence[Event]], None]
    ) -> None:
        self._machine, self._cells, self._repetitions, self._share, self._record = machine, cells, repetitions, share, record
        # all by the key of the cell
        self._done: dict[str, int] = defaultdict(int)
        self._failures: dict[str, int] = defaultdict(int)
        self._dropped: set[str] = set()
        self._under_way: set[str] = set()
        self._first: dict[str, dict[str, Figures]] = defaultdict(dict)  # first results, by the machine that measured them
        self._without_first = {cell.key for cell in cells}
        self._round, self._waiting = 0, deque[Job]()
        self.made, self.left = 0, len(cells) * repetitions

    def found(self, cell: Cell, machine: str, metas: Sequence[tuple[str, ExperimentMeta]]) -> None:
        events = []
        for uid, meta in metas[: self._repetitions - self._done[cell.key]]:
            self._count(cell.key)
            events.append(Event(FOUND, cell.key, uid, self._done[cell.key], machine))
            self._note_first(cell.key, machine, meta)
        self._record(events)

    def next(self) -> Job | None:
        """The next run.

        Every second round goes through the cells backwards, so that drift of the machine does not favour the first ones.
        """
        while True:
            for _ in range(len(self._waiting)):
                job = self._waiting.popleft()
                key = job.cell.key
                if key in self._dropped or self._done[key] >= job.repetition:
                    continue
                if key not in self._under_way and self._done[key] == job.repetition - 1:
                    return job
                self._waiting.append(job)
            if self._waiting or self._round == self._repetitions:
                return None
            self._round += 1
            order = self._cells if self._round % 2 else reversed(self._cells)
            self._waiting.extend(Job(cell, self._round, self._machine) for cell in order)

    def begin(self, job: Job) -> None:
        self._under_way.add(job.cell.key)

    def finished(self, job: Job, uid: str, meta: ExperimentMeta, machine: str, seconds: float) -> None:
        key = job.cell.key
        self._under_way.discard(key)
        self._count(key)
        self._failures[key] = 0
        self._record([Event(RUN, key, uid, job.repetition, machine, seconds=round(seconds, 1))])
        self._note_first(key, machine, meta)

    def failed(self, job: Job, why: str, machine: str) -> None:
        key = job.cell.key
        self._under_way.discard(key)
        self._failures[key] += 1
        events = [Event(FAILED, key, repetition=job.repetition, machine=machine, why=why)]
        if self._failures[key] >= _TRIES:
            events.append(Event(DROPPED, key, machine=self._machine, why=f"failed {_TRIES} times"))
        else:
            self._waiting.append(job)
        self._record(events)
        if self._failures[key] >= _TRIES:
            self.drop(key)

    def given_back(self, job: Job) -> None:
        self._under_way.discard(job.cell.key)
        self._waiting.appendleft(job)

    def drop(self, key: str) -> None:
        """No further runs of a cell, which may have none."""
        self._give_up(key)
        self._without_first.discard(key)
        self._drop_hopeless()

    def _count(self, key: str) -> None:
        """A run was made."""
        self._done[key] += 1
        self.made += 1
        if key not in self._dropped:
            self.left -= 1

    def _give_up(self, key: str) -> None:
        if key not in self._dropped:
            self._dropped.add(key)
            self.left -= self._repetitions - self._done[key]

    def _note_first(self, key: str, machine: str, meta: ExperimentMeta) -> None:
        if self._done[key] == 1:
            self._first[machine][key] = figures(meta)
            self._without_first.discard(key)
            self._drop_hopeless()

    def _drop_hopeless(self) -> None:
        """Drop cells that cannot be the best, after the first run of every cell.

        Only first results of the same machine are compared, because machines differ more than cells.
        """
        if self._without_first or not self._share:
            return
        reasons = {key: why for first in self._first.values() for key, why in hopeless(first, self._share).items()}
        new = [key for key in reasons if key not in self._dropped and self._done[key] < self._repetitions]
        for key in new:
            self._give_up(key)
        self._record([Event(DROPPED, key, machine=self._machine, why=reasons[key]) for key in new])

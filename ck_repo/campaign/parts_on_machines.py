"""Work in parts on the machines of a cluster: each machine makes one at a time, and a part that fails is repeated elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ck_repo import progress
from ck_repo.campaign.cluster import SECOND, Cluster, LostError, ready_machines
from ck_repo.campaign.machines import Machines, MachineVenvs
from ck_repo.campaign.messages import Failure, VenvSource, read_answer
from ck_repo.campaign.optional import optional
from ck_repo.campaign.venv_file import VenvFile
from ck_repo.contract.record import write
from ck_repo.errors import RunError
from ck_repo.run.shards import TRIES, Shard
from ck_repo.session import Session


class Made(Protocol):
    """The answer of a worker that has made a part."""

    @property
    def seconds(self) -> float:
        """How long it took."""


Answer = TypeVar("Answer", bound=Made)


@dataclass(frozen=True)
class Work(Generic[Answer]):
    """What is divided.

    Attributes
    ----------
    name
        For the progress: ``accuracy``.
    function
        Runs on a worker; its argument and its answer are messages, and the answer is a `Failure` if it failed.
    task
        The message for a part: the index, and how many parts there are.
    answer
        What the worker answers.
    take
        Fetches the result of a worker, given its answer, the index and the worker's address; returns why it cannot be used.
    """

    name: str
    function: Callable[[Mapping[str, object]], Mapping[str, object]]
    task: Callable[[int, int], object]
    answer: type[Answer]
    take: Callable[[Answer, int, str], str]


class PartsOnMachines:
    """The machines that make parts.

    Parameters
    ----------
    count
        How many parts; 0 for one a machine.
    venv_file
        The file from which each machine creates its venv; if None, a machine uses its own venv or creates one.
    """

    def __init__(self, session: Session, cluster: Cluster, count: int = 0, venv_file: VenvFile | None = None) -> None:
        self._session, self._cluster, self._count, self._venv_file = session, cluster, count, venv_file

    @property
    def venv(self) -> VenvSource | None:
        """The venv of the machines, for a task."""
        return self._venv_file.source if self._venv_file else None

    def make(self, work: Work[Answer]) -> list[Shard]:
        """Make all parts.

        Raises
        ------
        RunError
            If a part fails `TRIES` times, or no machine can be reached for two minutes.
        """
        found = ready_machines(self._cluster)
        count = self._count or len(found)
        progress.say(f"machines: {', '.join(machine.name for machine in found)}; {count} shards")
        file = self._venv_file
        venvs = MachineVenvs(self._cluster, file, trust=self._session.trust) if file else None
        return _Parts(work, count, self._cluster, Machines(self._cluster, found, venvs)).make()


class _Parts(Generic[Answer]):
    """The parts, of which some are in progress."""

    def __init__(self, work: Work[Answer], count: int, cluster: Cluster, machines: Machines) -> None:
        self._work, self._count, self._cluster, self._machines = work, count, cluster, machines
        self._waiting, self._tries = deque(range(count)), dict.fromkeys(range(count), 0)
        self._failed_on: dict[int, set[str]] = {index: set() for index in range(count)}
        self._under_way: dict[Any, tuple[int, str, str]] = {}  # part, machine and worker's address
        self._made: list[Shard] = []

    def make(self) -> list[Shard]:
        """Make all parts; those that are made are kept while machines are away."""
        try:
            with progress.task(self._work.name, self._count, "shards") as task:
                while len(self._made) < self._count:
                    self._hand_out(self._machines.present())
                    if not self._under_way:
                        self._machines.require_any()
                        if self._machines.are_away():
                            raise RunError("no machine is left that could make a shard", hint="start workers, and run it again")
                        continue
                    self._machines.note_work()
                    for future in self._ended():
                        self._take(future)
                    task.advance_to(len(self._made))
        finally:
            for future in self._under_way:
                future.cancel()
        return sorted(self._made, key=lambda shard: shard.index)

    def _hand_out(self, present: Mapping[str, str]) -> None:
        """Give each idle machine a part; one that failed is given to another machine, if there is one."""
        busy = {machine for _, machine, _ in self._under_way.values()}
        for name, address in present.items():
            if name in busy:
                continue
            failed_on = self._failed_on
            fitting = (each for each in self._waiting if name not in failed_on[each] or failed_on[each] >= present.keys())
            if (index := next(fitting, None)) is not None:
                self._waiting.remove(index)
                self._tries[index] += 1
                task = write(self._work.task(index, self._count))
                self._under_way[self._cluster.submit(address, self._work.function, task)] = (index, name, address)

    def _ended(self) -> list[Any]:
        """The parts that have ended, or whose worker was lost; waits a moment for one."""
        distributed = optional("distributed", "cluster")
        with suppress(TimeoutError, distributed.TimeoutError, distributed.CancelledError):
            distributed.wait(list(self._under_way), timeout=SECOND, return_when="FIRST_COMPLETED")
        rows = self._under_way.items()
        return [future for future, (_, _, address) in rows if future.done() or not self._cluster.is_there(address)]

    def _take(self, future: Any) -> None:
        """Collect the result of a part, or queue it again.

        Raises
        ------
        RunError
            If it failed too often.
        """
        index, name, address = self._under_way.pop(future)
        why, seconds = self._take_home(future, index, address)
        future.cancel()
        if not why:
            self._made.append(Shard(index, name, seconds, self._tries[index]))
            return
        self._failed_on[index].add(name)
        part = f"shard {index + 1} of {self._count}"
        if self._tries[index] >= TRIES:
            raise RunError(f"{part} failed {TRIES} times, the last time on {name}: {why}")
        progress.warn(f"{name}: {part} failed and is repeated: {why}")
        self._waiting.append(index)

    def _take_home(self, future: Any, index: int, address: str) -> tuple[str, float]:
        """Why a part cannot be used, or how long it took."""
        if future.status == "error":  # not one of our errors, which are answers
            return f"its worker failed with {type(future.exception()).__name__}", 0.0
        try:
            answer = read_answer(self._work.answer, self._cluster.result(future, address))
        except LostError as error:
            return str(error), 0.0
        if isinstance(answer, Failure):
            return answer.error, 0.0
        return self._work.take(answer, index, address), answer.seconds

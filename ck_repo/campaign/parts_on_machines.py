"""Work in parts on the machines of a cluster: each machine makes one at a time, and a part that fails is repeated elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ck_repo import progress
from ck_repo.campaign.cluster import Cluster, ready_machines
from ck_repo.campaign.optional import optional
from ck_repo.campaign.remote import MEASUREMENT
from ck_repo.campaign.venv_file import VenvFile, send_venv
from ck_repo.errors import CKError, RunError
from ck_repo.run.shards import TRIES, Shard
from ck_repo.session import Session

_LOOK = 1.0  # s between two checks of the cluster


@dataclass(frozen=True)
class Work:
    """What is divided.

    Attributes
    ----------
    name
        For the progress: ``accuracy``.
    function
        Runs on a worker; its answer is data, with ``error`` if it failed and ``seconds`` if not.
    task
        Its argument for a part: the index, and how many parts there are.
    take
        Fetches the result of a worker, given its answer, the index and the worker's address; returns why it cannot be used.
    """

    name: str
    function: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    task: Callable[[int, int], Mapping[str, Any]]
    take: Callable[[Mapping[str, Any], int, str], str]


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

    def make(self, work: Work) -> list[Shard]:
        """Make all parts.

        Raises
        ------
        RunError
            If a part fails `TRIES` times, or no machine is left.
        """
        machines = {machine.name: machine.workers for machine in ready_machines(self._cluster)}
        if self._venv_file:
            machines = self._with_venv(machines, self._venv_file)
        count = self._count or len(machines)
        progress.say(f"machines: {', '.join(machines)}; {count} shards")
        waiting, tries = deque(range(count)), dict.fromkeys(range(count), 0)
        failed_on: dict[int, set[str]] = {index: set() for index in range(count)}
        under_way: dict[Any, tuple[int, str, str]] = {}  # part, machine and worker's address
        found: list[Shard] = []
        try:
            with progress.task(work.name, count, "shards") as task:
                while len(found) < count:
                    present = self._present(machines)
                    if not present and not under_way:
                        raise RunError("no machine is left that could make a shard", hint="start workers, and run it again")
                    for name, address in present.items():
                        if name in {machine for _, machine, _ in under_way.values()}:
                            continue
                        fitting = (each for each in waiting if name not in failed_on[each] or failed_on[each] >= present.keys())
                        if (index := next(fitting, None)) is not None:
                            waiting.remove(index)
                            tries[index] += 1
                            under_way[self._submit(work, index, count, address)] = (index, name, address)
                    for future, why in self._ended(under_way).items():
                        index, name, address = under_way.pop(future)
                        failed_on[index].add(name)
                        answer: Mapping[str, Any] = {} if why else future.result()
                        why = why or str(answer.get("error") or "") or work.take(answer, index, address)
                        future.cancel()
                        if not why:
                            found.append(Shard(index, name, float(answer["seconds"]), tries[index]))
                            task.advance_to(len(found))
                        elif tries[index] >= TRIES:
                            raise RunError(f"shard {index + 1} of {count} failed {TRIES} times, the last time on {name}: {why}")
                        else:
                            progress.warn(f"{name}: shard {index + 1} of {count} failed and is repeated: {why}")
                            waiting.append(index)
        finally:
            for future in under_way:
                future.cancel()
        return sorted(found, key=lambda shard: shard.index)

    def venv_data(self) -> dict[str, str] | None:
        """The venv of the machines, for a task."""
        return self._venv_file.as_data() if self._venv_file else None

    def _with_venv(self, machines: Mapping[str, tuple[str, ...]], file: VenvFile) -> dict[str, tuple[str, ...]]:
        """The machines that have made the venv."""

        def send(name: str, address: str) -> str:
            try:
                send_venv(self._cluster, name, address, file, trust=self._session.trust)
            except CKError as error:
                progress.warn(f"{name} is skipped: {error}")
                return ""
            return name

        with ThreadPoolExecutor(len(machines)) as pool:
            made = set(pool.map(lambda each: send(*each), self._present(machines).items()))
        if not made - {""}:
            raise RunError("no machine has the run's venv", hint="the warnings say why")
        return {name: workers for name, workers in machines.items() if name in made}

    def _present(self, machines: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """The machines that have a worker now, with its address."""
        rows = self._cluster.client.scheduler_info(n_workers=-1)["workers"]
        addresses = {str(row["name"]): str(address) for address, row in rows.items()}
        here = {
            name: next((addresses[each] for each in workers if each in addresses), "") for name, workers in machines.items()
        }
        return {name: address for name, address in here.items() if address}

    def _submit(self, work: Work, index: int, count: int, address: str) -> Any:
        where = {"workers": [address], "allow_other_workers": False, "resources": {MEASUREMENT: 1}}
        return self._cluster.client.submit(work.function, work.task(index, count), pure=False, **where)

    def _ended(self, under_way: Mapping[Any, tuple[int, str, str]]) -> dict[Any, str]:
        """The parts that have ended, and why if their worker is gone; waits a moment for one."""
        distributed = optional("distributed", "cluster")
        with suppress(TimeoutError, distributed.TimeoutError, distributed.CancelledError):
            distributed.wait(list(under_way), timeout=_LOOK, return_when="FIRST_COMPLETED")
        workers = self._cluster.client.scheduler_info(n_workers=-1)["workers"]
        found = {}
        for future, (_, _, address) in under_way.items():
            if future.done():
                found[future] = "" if future.status == "finished" else "its worker was lost"
            elif address not in workers:
                found[future] = "its worker was lost"
        return found

"""Accuracy runs in shards on the machines of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.campaign.cluster import Cluster, ready_machines
from ck_repo.campaign.optional import optional
from ck_repo.campaign.remote import MEASUREMENT, answer_remote
from ck_repo.campaign.venv_file import VenvFile, send_venv
from ck_repo.contract.spec import Spec
from ck_repo.errors import CKError, RunError
from ck_repo.run.options import RUN_OPTIONS
from ck_repo.run.prepare import DATASET, WEIGHTS, RunPlan
from ck_repo.run.shards import FILES, TRIES, Shard, Start
from ck_repo.session import Session

_HERE = {option.name for option in RUN_OPTIONS if option.this_machine}  # the venv, for example
_LOOK = 1.0  # s between two looks at the cluster


class ShardsOnMachines:
    """Shards that machines of a cluster answer, one at a time each.

    A shard that fails is repeated, on another machine if there is one.

    Parameters
    ----------
    count
        How many; 0 for one a machine.
    venv_file
        What each machine makes its venv from; None for the venv that a machine has, or makes by itself.
    """

    def __init__(self, session: Session, cluster: Cluster, count: int = 0, venv_file: VenvFile | None = None) -> None:
        self._session, self._cluster, self._count, self._venv_file = session, cluster, count, venv_file

    def __call__(self, plan: RunPlan, spec: Spec, start: Start, folder: Path) -> list[Shard]:
        """See `ck_repo.run.shards.Answering`."""
        machines = {machine.name: machine.workers for machine in ready_machines(self._cluster)}
        if self._venv_file:
            machines = self._with_venv(machines, self._venv_file)
        count = self._count or len(machines)
        progress.say(f"machines: {', '.join(machines)}; {count} shards")
        waiting, tries = deque(range(count)), dict.fromkeys(range(count), 0)
        failed_on: dict[int, set[str]] = {index: set() for index in range(count)}
        under_way: dict[Any, tuple[int, str, str]] = {}  # shard, machine and worker's address
        found: list[Shard] = []
        try:
            with progress.task("accuracy", count, "shards") as task:
                while len(found) < count:
                    present = self._present(machines)
                    if not present and not under_way:
                        raise RunError("no machine is left that could answer a shard", hint="start workers, and run it again")
                    for name, address in present.items():
                        if name in {machine for _, machine, _ in under_way.values()}:
                            continue
                        fitting = (each for each in waiting if name not in failed_on[each] or failed_on[each] >= present.keys())
                        if (index := next(fitting, None)) is not None:
                            waiting.remove(index)
                            tries[index] += 1
                            under_way[self._submit(plan, index, count, address)] = (index, name, address)
                    for future, why in self._ended(under_way).items():
                        index, name, _ = under_way.pop(future)
                        failed_on[index].add(name)
                        answer: Mapping[str, Any] = {} if why else future.result()
                        why = why or str(answer.get("error") or "") or _take(answer, folder / f"{index}")
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

    def _with_venv(self, machines: Mapping[str, tuple[str, ...]], file: VenvFile) -> dict[str, tuple[str, ...]]:
        """The machines that have made the venv."""

        def send(name: str, address: str) -> str:
            try:
                send_venv(self._cluster, name, address, file, trust=self._session.trust)
            except CKError as error:
                progress.warn(f"{name} is left out: {error}")
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

    def _submit(self, plan: RunPlan, index: int, count: int, address: str) -> Any:
        task = {
            "program": plan.program.entry.uid,
            "digest": plan.program.digest,
            "options": {name: value for name, value in plan.options.as_data().items() if name not in _HERE},
            "contents": {role: plan.choices[role].key for role in (WEIGHTS, DATASET)},
            "index": index,
            "count": count,
            "trust": self._session.trust,
            "venv": self._venv_file.as_data() if self._venv_file else None,
        }
        where = {"workers": [address], "allow_other_workers": False, "resources": {MEASUREMENT: 1}}
        return self._cluster.client.submit(answer_remote, task, pure=False, **where)

    def _ended(self, under_way: Mapping[Any, tuple[int, str, str]]) -> dict[Any, str]:
        """The shards that have ended, and why if their worker is gone; waits a moment for one."""
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


def _take(answer: Mapping[str, Any], folder: Path) -> str:
    """Write the files of a shard; why they cannot be used, if so."""
    for name in FILES:
        content = bytes(answer["files"][name])
        if sha256(content).hexdigest() != answer["sha256"][name]:
            return f"{name} was damaged on its way"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return ""

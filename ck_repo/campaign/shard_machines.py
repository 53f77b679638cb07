"""Accuracy runs in shards on the machines of a cluster."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from ck_repo.campaign.messages import ShardAnswered, ShardTask
from ck_repo.campaign.parts_on_machines import PartsOnMachines, Work
from ck_repo.campaign.remote import answer_remote
from ck_repo.contract.spec import Spec
from ck_repo.run.options import RUN_OPTIONS
from ck_repo.run.prepare import DATASET, WEIGHTS, RunPlan
from ck_repo.run.shards import FILES, Shard, Start
from ck_repo.session import Session

_HERE = {option.name for option in RUN_OPTIONS if option.this_machine}  # the venv, for example


class ShardsOnMachines:
    """Shards that machines of a cluster answer, one at a time each."""

    def __init__(self, session: Session, machines: PartsOnMachines) -> None:
        self._session, self._machines = session, machines

    def __call__(self, plan: RunPlan, spec: Spec, start: Start, folder: Path) -> list[Shard]:
        """See `ck_repo.run.shards.Answering`."""

        def task(index: int, count: int) -> ShardTask:
            return ShardTask(
                program=plan.program.entry.uid,
                digest=plan.program.digest,
                options={name: value for name, value in plan.options.as_data().items() if name not in _HERE},
                contents={role: plan.choices[role].key for role in (WEIGHTS, DATASET)},
                index=index,
                count=count,
                trust=self._session.trust,
                venv=self._machines.venv,
            )

        def take(answer: ShardAnswered, index: int, address: str) -> str:
            return _take(answer, folder / f"{index}")

        return self._machines.make(Work("accuracy", answer_remote, task, ShardAnswered, take))


def _take(answer: ShardAnswered, folder: Path) -> str:
    """Write the files of a shard; why they cannot be used, if so."""
    for name in FILES:
        content = answer.files[name]
        if sha256(content).hexdigest() != answer.sha256[name]:
            return f"{name} was damaged during the transfer"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return ""

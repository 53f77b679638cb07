"""Functions that run on workers of a cluster: describe the machine, make a run and return it."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping
from hashlib import sha256

from ck_repo import __version__
from ck_repo.campaign.job import carry_out, failure_data, lookup_word, machine_name
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.measuring import measuring
from ck_repo.campaign.messages import (
    OVER_TIME,
    UNFIT,
    WAITS,
    About,
    RunMade,
    RunTask,
    ShardAnswered,
    ShardTask,
    read_message,
)
from ck_repo.campaign.planning import install
from ck_repo.campaign.queue import Job
from ck_repo.campaign.recorded import Recorded, campaign_of
from ck_repo.campaign.remote_venv import in_venv
from ck_repo.campaign.settling import NotReadyError, at_once
from ck_repo.contract.record import write
from ck_repo.contract.spec import AccuracyPart
from ck_repo.errors import CKError, ConflictError, OverTimeError, StorageError
from ck_repo.experiments.meta import readable
from ck_repo.machine.platform import describe_platform
from ck_repo.resolve.component import read_component
from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import answer_shard
from ck_repo.run.prepare import RunPlan, prepare
from ck_repo.run.shards import FILES
from ck_repo.session import Session
from ck_repo.store.archive import pack_entries
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root, tools_root
from ck_repo.store.lookup import Lookup
from ck_repo.store.search import find
from ck_repo.store.work import scratch_folder

MEASUREMENT = "measurement"  # Dask's resource: a worker has one
_ROOM = 1 << 20  # bytes that a run needs at least


class UnfitError(ConflictError):
    """This machine cannot make any run of the campaign."""


def hello() -> dict[str, object]:
    """A machine: its name, versions, clock and processor."""
    return write(About(machine_name(), __version__, platform.python_version(), time.time(), describe_platform().cpu))


def run_remote(task: Mapping[str, object]) -> dict[str, object]:
    """Make a run: a `RunTask` to a `RunMade`, or to a `Failure` if it is one of our errors.

    A run that was made already, whose result did not arrive, is returned again.
    """
    try:
        wanted = read_message(RunTask, task)
        with in_venv(wanted.venv):
            return write(_run(wanted))
    except NotReadyError as error:
        return failure_data(error, WAITS)
    except OverTimeError as error:
        return failure_data(error, OVER_TIME)
    except CKError as error:
        unfit = isinstance(error, StorageError | UnfitError) or _is_full()
        return failure_data(error, UNFIT if unfit else "")


def _is_full() -> bool:
    """Whether the disk of this machine has no room: then no cell is to blame for a failure."""
    try:
        return shutil.disk_usage(repos_root()).free < _ROOM
    except OSError:
        return False


def _run(task: RunTask) -> RunMade:
    session = Session(trust=task.trust)
    program = _program(session, task.program, task.digest)
    options = RunOptions(**task.options)
    began = time.monotonic()
    plan = prepare(session, program, options)
    if not plan.is_ready:
        install(session, program, options)
        plan = prepare(session, program, options)
    entry = _made(session, plan, task)
    if entry is None:
        job = Job(Cell(task.cell, {}, options), task.repetition)
        ready = at_once(task.settling)
        entry = carry_out(session, program, job, task.campaign, limit=task.limit, ready=ready).experiment
    with scratch_folder(repos_root(), "send") as folder:
        pack_entries([entry], folder / "experiment.zip")
        content = (folder / "experiment.zip").read_bytes()
    return RunMade(machine_name(), time.monotonic() - began, entry.uid, content, sha256(content).hexdigest())


def answer_remote(task: Mapping[str, object]) -> dict[str, object]:
    """Answer a part of an accuracy run: a `ShardTask` to a `ShardAnswered`, or to a `Failure`."""
    began = time.monotonic()
    try:
        wanted = read_message(ShardTask, task)
        with in_venv(wanted.venv), measuring():
            files = _answer(wanted)
    except CKError as error:
        return failure_data(error)
    digests = {name: sha256(content).hexdigest() for name, content in files.items()}
    return write(ShardAnswered(machine_name(), time.monotonic() - began, files, digests))


def _answer(task: ShardTask) -> dict[str, bytes]:
    session = Session(trust=task.trust)
    program = _program(session, task.program, task.digest)
    plan = prepare(session, program, RunOptions(**task.options))
    for role, digest in task.contents.items():
        if plan.choices[role].key != digest:
            raise ConflictError(
                f"{machine_name()} would use {plan.choices[role].label} as {role}, which differs from that of this run",
                hint="install or register the same component there",
            )
    with scratch_folder(tools_root(), "shard") as folder:
        answer_shard(session, plan, AccuracyPart(task.index, task.count), folder / "shard")
        return {name: (folder / "shard" / name).read_bytes() for name in FILES}


def _program(session: Session, uid: str, digest: str) -> Entry:
    """The program with that UID, if it is identical to the one of the campaign."""
    found = next(iter(find(session.repositories, "program", uid)), None)
    if found is None:
        raise UnfitError(f"it does not have the program {uid}", hint="install or pull the same repository there")
    if read_component(found).digest != digest:
        raise UnfitError(f"its {found.cid} differs from that of the campaign", hint="install the same version there")
    return found


def _made(session: Session, plan: RunPlan, task: RunTask) -> Entry | None:
    """The run of an earlier attempt, if it was recorded here and its lock still matches."""
    recorded = Recorded(session)
    word = lookup_word(task.campaign["uid"], task.cell, task.repetition)
    for row in readable(Lookup(session.repositories, "experiment").found_by(word)):
        if campaign_of(row[1]).get("machine") == machine_name() and recorded.matches(row, plan):
            return row[0]
    return None

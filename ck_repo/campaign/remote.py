"""Functions that run on workers of a cluster: describe the machine, make a run and return it. They exchange plain data."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ck_repo import __version__
from ck_repo.campaign.job import carry_out, failure, machine_name
from ck_repo.campaign.matrix import Cell
from ck_repo.campaign.measuring import measuring
from ck_repo.campaign.queue import Job
from ck_repo.campaign.recorded import Recorded, campaign_of
from ck_repo.campaign.remote_venv import in_venv
from ck_repo.campaign.settling import NotReadyError, at_once
from ck_repo.contract.spec import AccuracyPart
from ck_repo.errors import CKError, ConflictError, OverTimeError, StorageError
from ck_repo.machine.platform import describe_platform
from ck_repo.resolve.component import read_component
from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import answer_shard, make_ready
from ck_repo.run.prepare import RunPlan, prepare
from ck_repo.run.shards import FILES
from ck_repo.session import Session
from ck_repo.store.archive import pack_entries
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root, tools_root
from ck_repo.store.search import find
from ck_repo.store.work import scratch_folder

MEASUREMENT = "measurement"  # Dask's resource: a worker has one
_ROOM = 1 << 20  # bytes that a run needs at least


class UnfitError(ConflictError):
    """This machine cannot make any run of the campaign."""


def hello() -> dict[str, object]:
    """A machine: its name, versions, clock and processor."""
    return {
        "machine": machine_name(),
        "version": __version__,
        "python": platform.python_version(),
        "time": time.time(),
        "cpu": describe_platform().cpu,
    }


def run_remote(task: Mapping[str, Any]) -> dict[str, object]:
    """Make a run, and return its experiment as an archive with its digest; our errors are returned as data.

    A run that was made already, whose result did not arrive, is returned again. An answer with `unusable` says that the machine
    is to blame, not the cell: it cannot store anything, or has another program. One with `waits` says why the machine is not
    ready for a measurement.
    """
    try:
        with in_venv(task.get("venv")):
            return _run(task)
    except NotReadyError as error:
        return {"waits": error.what, "machine": machine_name()}
    except OverTimeError as error:
        return {"error": error.what, "over_time": True, "machine": machine_name()}
    except CKError as error:
        unusable = isinstance(error, StorageError | UnfitError) or _is_full()
        return {**_as_data(error), "unusable": unusable}


def _is_full() -> bool:
    """Whether the disk of this machine has no room: then no cell is to blame for a failure."""
    try:
        return shutil.disk_usage(repos_root()).free < _ROOM
    except OSError:
        return False


def _as_data(error: CKError) -> dict[str, object]:
    """What failed, for the scheduler's side."""
    return {"error": failure(error), "hint": error.hint, "machine": machine_name()}


def _run(task: Mapping[str, Any]) -> dict[str, object]:
    session = Session(trust=bool(task["trust"]))
    program = _program(session, str(task["program"]), str(task["digest"]))
    options = RunOptions(**task["options"])
    campaign = dict(task["campaign"])
    cell, repetition = str(task["cell"]), int(task["repetition"])
    began = time.monotonic()
    make_ready(session, prepare(session, program, options))
    entry = _made(session, prepare(session, program, options), campaign["uid"], cell, repetition)
    if entry is None:
        job = Job(Cell(cell, {}, options), repetition)
        ready = at_once(task["settling"])
        entry = carry_out(session, program, job, campaign, limit=task.get("limit"), ready=ready).experiment
    with scratch_folder(repos_root(), "send") as folder:
        pack_entries([entry], folder / "experiment.zip")
        content = (folder / "experiment.zip").read_bytes()
    return {
        "uid": entry.uid,
        "machine": machine_name(),
        "seconds": time.monotonic() - began,
        "archive": content,
        "sha256": sha256(content).hexdigest(),
        "place": str(entry.path),
    }


def answer_remote(task: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a part of an accuracy run; its files with their digests, or an error of ours as data."""
    began = time.monotonic()
    try:
        with in_venv(task.get("venv")):
            files = _answer(task)
    except CKError as error:
        return _as_data(error)
    digests = {name: sha256(content).hexdigest() for name, content in files.items()}
    return {"machine": machine_name(), "seconds": time.monotonic() - began, "files": files, "sha256": digests}


def _answer(task: Mapping[str, Any]) -> dict[str, bytes]:
    session = Session(trust=bool(task["trust"]))
    program = _program(session, str(task["program"]), str(task["digest"]))
    plan = prepare(session, program, RunOptions(**task["options"]))
    for role, digest in task["contents"].items():
        if plan.choices[role].key != digest:
            raise ConflictError(
                f"{machine_name()} would use {plan.choices[role].label} as {role}, which differs from that of this run",
                hint="install or register the same component there",
            )
    with measuring(), scratch_folder(tools_root(), "shard") as folder:
        answer_shard(session, plan, AccuracyPart(int(task["index"]), int(task["count"])), folder / "shard")
        return {name: (folder / "shard" / name).read_bytes() for name in FILES}


def _program(session: Session, uid: str, digest: str) -> Entry:
    """The program with that UID, if it is identical to the one of the campaign."""
    found = next(iter(find(session.repositories, "program", uid)), None)
    if found is None:
        raise UnfitError(f"it does not have the program {uid}", hint="install or pull the same repository there")
    if read_component(found).digest != digest:
        raise UnfitError(f"its {found.cid} differs from that of the campaign", hint="install the same version there")
    return found


def _made(session: Session, plan: RunPlan, campaign: str, cell: str, repetition: int) -> Entry | None:
    """The run of an earlier attempt, if it was recorded here and its lock still matches."""
    wanted = {"uid": campaign, "cell": cell, "repetition": repetition, "machine": machine_name()}
    for entry, meta in Recorded(session).like(plan):
        row = campaign_of(meta)
        if all(row.get(name) == value for name, value in wanted.items()):
            return entry
    return None

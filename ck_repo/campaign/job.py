"""Make one run of a campaign on this machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping

from ck_repo.campaign.measuring import measuring
from ck_repo.campaign.messages import Failure
from ck_repo.campaign.queue import Job
from ck_repo.contract.record import write
from ck_repo.errors import CKError
from ck_repo.run.pipeline import RunRecord, execute
from ck_repo.run.prepare import prepare
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.index import FOUND_BY

TAG = "campaign"


def machine_name() -> str:
    """The name of this machine in tables: CK_MACHINE, or its host name."""
    return os.environ.get("CK_MACHINE") or platform.node() or "localhost"


def failure(error: CKError) -> str:
    """What failed, with the last line of its log, in one line."""
    last = error.tail.rpartition("\n")[2].strip()
    return " ".join((error.what + (f": {last}" if last else "")).split())


def failure_data(error: CKError, kind: str = "") -> dict[str, object]:
    """What failed on this machine, as a worker's answer; exceptions would cross the network pickled."""
    return write(Failure(machine_name(), failure(error), error.hint, kind))


def lookup_word(campaign: str, cell: str, repetition: int) -> str:
    """The word that the index finds a campaign's run by."""
    return f"{campaign}/{cell}/{repetition}"


def carry_out(
    session: Session,
    program: Entry,
    job: Job,
    campaign: Mapping[str, str],
    *,
    repository: str = "",
    tags: tuple[str, ...] = (),
    limit: float | None = None,
    ready: Callable[[], list[str]] | None = None,
) -> RunRecord:
    """Make a run and record it, while no other campaign measures on this machine.

    Parameters
    ----------
    campaign
        ``uid`` and ``alias`` of the campaign's entry, for the experiment.
    ready
        Waits until the machine is ready, and returns what still disturbs the run, for the record of the experiment.
    """
    row: dict[str, object] = {**campaign, "cell": job.cell.key, "repetition": job.repetition, "machine": machine_name()}
    more = {"campaign": row, FOUND_BY: [lookup_word(campaign["uid"], job.cell.key, job.repetition)]}
    with measuring():
        plan = prepare(session, program, job.options)
        if ready and (disturbed := ready()):
            row["disturbed"] = disturbed
        return execute(session, plan, repository=repository, tags=(TAG, *tags), more=more, limit=limit)

"""Run a campaign's matrix on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ck_repo import progress
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.definition import Limits
from ck_repo.campaign.estimate import Estimates
from ck_repo.campaign.job import carry_out, failure, machine_name
from ck_repo.campaign.journal import BEGUN, STOPPED, Event, Journal
from ck_repo.campaign.planning import ENDS_ALL, Planned, install_all, plan_cells
from ck_repo.campaign.queue import Job, Queue
from ck_repo.campaign.recorded import Recorded, repetitions_of
from ck_repo.campaign.settling import Settled
from ck_repo.errors import CKError, OverTimeError
from ck_repo.experiments.meta import read_experiment
from ck_repo.session import Session
from ck_repo.store.entry import Entry

COMPLETE, OUT_OF_TIME = "complete", "time limit"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    Attributes
    ----------
    state
        ``complete``, ``time limit`` or ``machines gone``.
    made, found, left
        Numbers of runs that were made now, were recorded before, and remain.
    """

    state: str
    made: int
    found: int
    left: int


def sweep(session: Session, program: Entry, campaign: Campaign, limits: Limits, *, repository: str = "") -> Outcome:
    """Make the remaining runs of a campaign.

    The needs of its cells are installed first. Every run is recorded at once, so that a campaign that was stopped or killed
    continues with the interrupted run.

    Parameters
    ----------
    limits
        Maximum seconds of all runs and of one, and how long to wait for a quiet machine.
    repository
        Where experiments are recorded; `local` if empty.

    Returns
    -------
    Outcome
        Whether it is complete or out of time, and the number of new, earlier and remaining runs.

    Raises
    ------
    CKError
        If the campaign is running in another process. A run that fails is not an error.
    """
    began = time.monotonic()
    with campaign.running():
        planned = install_all(session, program, plan_cells(session, program, campaign.cells(), here=True))
        recorded = Recorded(session)
        queue = begin(campaign, limits, planned, recorded)
        found, total = queue.counts()
        estimates = Estimates(recorded)
        settled = Settled(limits.settling)
        state = COMPLETE
        with progress.task("runs", found + total, "runs") as task:
            task.advance_to(found)
            while job := queue.next():
                left = None if limits.total is None else limits.total - (time.monotonic() - began)
                if left is not None and left < estimates.seconds(job.options):
                    state = OUT_OF_TIME
                    break
                done, remaining = queue.counts()
                progress.say(f"run {done + 1} of {done + remaining}: {job.cell}, repetition {job.repetition}")
                queue.begin(job)
                if not _run(session, program, campaign, queue, job, limits, left, estimates, settled, repository):
                    state = OUT_OF_TIME
                    break
                done, remaining = queue.counts()
                task.advance_to(done, done + remaining)
        if state == OUT_OF_TIME:
            campaign.journal.add([Event(STOPPED, why=state)])
        done, remaining = queue.counts()
        return Outcome(state, done - found, found, remaining)


def begin(
    campaign: Campaign,
    limits: Limits,
    planned: Sequence[Planned],
    recorded: Recorded,
    machines: tuple[str, ...] = (),
    *,
    elsewhere: bool = False,
    journal: Journal | None = None,
) -> Queue:
    """The queue of the remaining runs, without recorded ones.

    Parameters
    ----------
    machines
        Names of machines that each run every cell, if they do.
    elsewhere
        Whether runs that the campaign made on other machines count.
    journal
        Where the queue notes what happens; the campaign's.
    """
    journal = journal or campaign.journal
    cells, repetitions = [row.cell for row in planned], campaign.definition.repetitions
    queue = Queue(cells, repetitions, limits.hopeless, journal.add, machines)
    with journal.together():
        journal.add([Event(BEGUN)])
        _note_recorded(queue, campaign, planned, recorded, elsewhere=elsewhere)
    return queue


def _note_recorded(
    queue: Queue, campaign: Campaign, planned: Sequence[Planned], recorded: Recorded, *, elsewhere: bool
) -> None:
    """Enter recorded runs into the queue, and cells that cannot run."""
    for row in planned:
        if row.plan is None:
            queue.impossible(row.cell, row.why)
            continue
        found = recorded.like(row.plan, campaign=campaign.entry.uid if elsewhere else "")
        for machine, rows in repetitions_of(row.cell, found, each_machine=campaign.definition.each_machine).items():
            queue.found(row.cell, machine, [(entry.uid, meta) for entry, meta in rows])


def _run(
    session: Session,
    program: Entry,
    campaign: Campaign,
    queue: Queue,
    job: Job,
    limits: Limits,
    left: float | None,
    estimates: Estimates,
    settled: Settled,
    repository: str,
) -> bool:
    """Make one run; return False if the time for all runs is up."""
    started = time.monotonic()
    limit = min((each for each in (limits.run, left) if each is not None), default=None)
    names = {"uid": campaign.entry.uid, "alias": campaign.entry.alias}
    try:
        record = carry_out(session, program, job, names, repository=repository, limit=limit, ready=settled)
    except ENDS_ALL:
        queue.given_back(job)
        raise
    except OverTimeError as error:
        if left is not None and time.monotonic() - started >= left:
            queue.given_back(job)
            return False
        queue.failed(job, error.what, machine_name())
    except CKError as error:
        progress.warn(f"{job.cell}: {failure(error)}")
        queue.failed(job, failure(error), machine_name())
    else:
        seconds = time.monotonic() - started
        estimates.note(job.options, seconds)
        queue.finished(job, record.experiment.uid, read_experiment(record.experiment), machine_name(), seconds)
    return True

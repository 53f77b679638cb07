"""Run a campaign's matrix on the machines of a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.cluster import Cluster, LostError, ready_machines
from ck_repo.campaign.definition import Limits
from ck_repo.campaign.estimate import Estimates
from ck_repo.campaign.journal import STOPPED, Event, Journal
from ck_repo.campaign.machine_packages import reported_packages
from ck_repo.campaign.machines import Machines, MachineVenvs
from ck_repo.campaign.messages import OVER_TIME, UNFIT, WAITS, Failure, RunMade, RunTask, VenvSource, read_answer
from ck_repo.campaign.optional import optional
from ck_repo.campaign.planning import plan_cells
from ck_repo.campaign.queue import Job, Queue
from ck_repo.campaign.recorded import Recorded
from ck_repo.campaign.remote import run_remote
from ck_repo.campaign.settling import Waiting
from ck_repo.campaign.sweep import COMPLETE, OUT_OF_TIME, Outcome, begin
from ck_repo.campaign.venv_file import VenvFile
from ck_repo.contract.record import write
from ck_repo.errors import MismatchError
from ck_repo.experiments.meta import read_experiment
from ck_repo.resolve.component import read_component
from ck_repo.session import Session
from ck_repo.store.archive import unpack_entries
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.search import find, load
from ck_repo.store.work import scratch_folder

_LOOK = 1.0  # s to wait for the end of a run
_REST = 10.0  # s until a machine that was not ready is asked again
GONE = "machines gone"
_TRIES = 3  # maximum number of times that a run may lose its worker on a machine


def distribute(
    session: Session,
    program: Entry,
    campaign: Campaign,
    limits: Limits,
    cluster: Cluster,
    *,
    repository: str = "",
    venv_file: VenvFile | None = None,
) -> Outcome:
    """Make the remaining runs of a campaign on a cluster.

    A machine makes one run at a time, whatever the number of its workers. A run whose worker dies is repeated, at most three
    times. Each experiment is transferred without changes, with its own UID.

    Parameters
    ----------
    venv_file
        The file from which each machine creates its venv; if None, a machine uses its own venv or creates one.
    """
    with campaign.running():
        ready = ready_machines(cluster)
        progress.say(f"machines: {', '.join(machine.name for machine in ready)}")
        planned = plan_cells(session, program, campaign.cells())
        if venv_file:
            recorded = Recorded(session, venv_file.lock)
        else:
            there = reported_packages(cluster, ready, {row.cell.options.venv for row in planned})
            recorded = Recorded(session, there=there)
        each = tuple(machine.name for machine in ready) if campaign.definition.each_machine else ()
        journal = campaign.journal
        queue = begin(campaign, limits, planned, recorded, each, elsewhere=True, journal=journal)
        found, _ = queue.counts()
        venvs = MachineVenvs(cluster, venv_file, trust=session.trust) if venv_file else None
        machines = Machines(cluster, ready, venvs, join=not campaign.definition.each_machine)
        source = venv_file.source if venv_file else None
        running = _Running(
            session, program, campaign, limits, cluster, machines, queue, journal, Estimates(recorded), repository, source
        )
        state = running.run()
        if state == OUT_OF_TIME:
            campaign.journal.add([Event(STOPPED, why=state)])
        done, remaining = queue.counts()
        return Outcome(state, done - found, found, remaining)


class _Running:
    """The runs in progress."""

    def __init__(
        self,
        session: Session,
        program: Entry,
        campaign: Campaign,
        limits: Limits,
        cluster: Cluster,
        machines: Machines,
        queue: Queue,
        journal: Journal,
        estimates: Estimates,
        repository: str,
        venv: VenvSource | None,
    ) -> None:
        self._session, self._program, self._campaign, self._limits = session, program, campaign, limits
        self._cluster, self._machines, self._queue, self._journal = cluster, machines, queue, journal
        self._estimates, self._repository, self._venv = estimates, repository, venv
        self._digest = read_component(program).digest
        self._distributed = optional("distributed", "cluster")
        self._under_way: dict[Any, tuple[Job, str, str]] = {}  # with the machine and the address of the worker
        self._begun = time.monotonic()
        self._losses: dict[tuple[str, int, str], int] = {}  # by the cell's key, the repetition and the machine
        self._failed_on: dict[str, set[str]] = {}  # machines on which a cell failed, by its key
        self._waiting = Waiting(limits.settling.seconds, _REST)

    def run(self) -> str:
        """Start runs until none remain or the time is up; return the final state."""
        state = COMPLETE
        try:
            with progress.task("runs", sum(self._queue.counts()), "runs") as task:
                while True:
                    present = self._machines.present()
                    self._give_up_lost()
                    if state == COMPLETE and not self._hand_out(present):
                        state = OUT_OF_TIME
                    if not self._under_way:
                        remaining = self._queue.counts()[1]
                        if state != COMPLETE or not remaining:
                            return state
                        if self._is_over():
                            return OUT_OF_TIME
                        self._machines.require_any()
                        if self._waiting:  # machines that are not ready yet
                            self._machines.note_work()
                        if self._machines.are_away():
                            return GONE
                        continue
                    self._machines.note_work()
                    with self._journal.together():
                        for future in self._ended():
                            self._take(future)
                    made, left = self._queue.counts()
                    task.advance_to(made, made + left)
        finally:
            for future in self._under_way:
                future.cancel()

    def _is_over(self) -> bool:
        """Whether the time for all runs is over."""
        left = self._time_left()
        return left is not None and left <= 0

    def _time_left(self) -> float | None:
        """Seconds that are left for all runs; None if there is no limit."""
        return None if self._limits.total is None else self._limits.total - (time.monotonic() - self._begun)

    def _give_up_lost(self) -> None:
        """Give up the runs whose worker was lost."""
        for future, (job, machine, address) in list(self._under_way.items()):
            if not future.done() and not self._cluster.is_there(address):
                self._lost(future, job, machine, "its worker was lost")

    def _hand_out(self, present: Mapping[str, str]) -> bool:
        """Start runs on idle machines; return False if the time is up."""
        busy = {machine for _, machine, _ in self._under_way.values()}
        self._waiting.keep(present)
        unready = busy | self._waiting.resting()
        free = {name: address for name, address in present.items() if name not in unready}
        waiting: list[Job] = []
        in_time = True
        while free and (job := self._queue.next(free)):
            left = self._time_left()
            if left is not None and left < self._estimates.seconds(job.options):
                waiting.append(job)
                in_time = False
                break
            name = job.machine or self._place_of(job, free, present)
            self._queue.begin(job)
            if name not in free:  # its machine is busy, or temporarily missing
                waiting.append(job)
                continue
            address = free.pop(name)
            progress.say(f"{name}: {job.cell}, repetition {job.repetition}")
            self._under_way[self._submit(job, address, left)] = (job, name, address)
        for job in reversed(waiting):
            self._queue.given_back(job)
        return in_time

    def _place_of(self, job: Job, free: Mapping[str, str], present: Mapping[str, str]) -> str:
        """The machine for a run: after a failure another one, if there is one, because the machine may be to blame."""
        if not (failed := self._failed_on.get(job.cell.key)):
            return next(iter(free))
        others = [name for name in (*free, *present) if name not in failed]
        return next(iter(others or free))

    def _submit(self, job: Job, address: str, left: float | None) -> Any:
        task = RunTask(
            program=self._program.uid,
            digest=self._digest,
            options=job.options.as_data(),
            cell=job.cell.key,
            repetition=job.repetition,
            campaign={"uid": self._campaign.entry.uid, "alias": self._campaign.entry.alias},
            trust=self._session.trust,
            settling=self._limits.settling,
            limit=min((each for each in (self._limits.run, left) if each is not None), default=None),
            venv=self._venv,
        )
        return self._cluster.submit(address, run_remote, write(task))

    def _ended(self) -> list[Any]:
        """The runs that have ended; waits briefly for one."""
        try:
            self._distributed.wait(list(self._under_way), timeout=_LOOK, return_when="FIRST_COMPLETED")
        except (TimeoutError, self._distributed.TimeoutError):
            return []
        except self._distributed.CancelledError:  # some were lost with their scheduler
            pass
        return [future for future in self._under_way if future.done()]

    def _take(self, future: Any) -> None:
        """Handle the end of a run: import its experiment, or record the error."""
        job, machine, address = self._under_way[future]
        if future.status != "finished":
            why = "cancelled" if future.cancelled() else type(future.exception()).__name__
            self._lost(future, job, machine, why)
            return
        try:
            answer = read_answer(RunMade, self._cluster.result(future, address))
        except LostError as error:
            self._lost(future, job, machine, str(error))
            return
        del self._under_way[future]
        future.release()
        if isinstance(answer, Failure):
            self._failed(job, machine, answer)
            return
        self._waiting.forget(machine)
        entry = take_home(self._session, answer, self._repository)
        self._estimates.note(job.options, answer.seconds)
        self._queue.finished(job, entry.uid, read_experiment(entry), machine, answer.seconds)

    def _failed(self, job: Job, machine: str, failure: Failure) -> None:
        """Handle a run that did not take place, or failed."""
        if failure.kind == WAITS:
            self._queue.given_back(job)
            if self._waiting.note(machine, failure.error):
                self._machines.skip(machine, f"{machine}: {failure.error}")
            return
        self._waiting.forget(machine)
        if failure.kind == OVER_TIME and self._is_over():
            self._queue.given_back(job)
        elif failure.kind == UNFIT:
            progress.warn(f"{machine} is skipped from now on: {failure.error}")
            self._machines.skip(machine, f"{machine}: {failure.error}")
            self._queue.given_back(job)
        else:
            progress.warn(f"{machine}: {job.cell}: {failure.error}")
            self._failed_on.setdefault(job.cell.key, set()).add(machine)
            self._queue.failed(job, failure.error, machine)

    def _lost(self, future: Any, job: Job, machine: str, why: str) -> None:
        """Handle a run whose worker died, or that was cancelled with its scheduler."""
        del self._under_way[future]
        future.cancel()
        key = (job.cell.key, job.repetition, machine)
        self._losses[key] = self._losses.get(key, 0) + 1
        if self._losses[key] < _TRIES:
            progress.warn(f"{machine} was lost in a run of {job.cell} ({why}); the run is repeated")
            self._queue.given_back(job)
        else:
            self._failed_on.setdefault(job.cell.key, set()).add(machine)
            self._queue.failed(job, f"its worker died {_TRIES} times ({why})", machine)


def take_home(session: Session, answer: RunMade, repository: str) -> Entry:
    """Import an experiment under its own UID; an existing one is kept.

    Raises
    ------
    MismatchError
        If the archive does not have the worker's digest.
    """
    uid, content = answer.uid, answer.archive
    if sha256(content).hexdigest() != answer.sha256:
        raise MismatchError(f"the experiment {uid} of {answer.machine} was damaged in transfer", hint="run the command again")
    if find(session.repositories, "experiment", uid):  # the worker uses the same repositories, or it was imported before
        return load(session.repositories, "experiment", uid)
    with scratch_folder(repos_root(), "home") as folder:
        path = Path(folder) / "experiment.zip"
        path.write_bytes(content)
        entries, _ = unpack_entries(path, session.repositories, session.repositories.writable(repository), "experiment")
    return entries[0]

"""Run a campaign's matrix on the machines of a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.cluster import Cluster, ClusterError, Machine, ready_machines, usable
from ck_repo.campaign.definition import Limits
from ck_repo.campaign.estimate import Estimates
from ck_repo.campaign.journal import STOPPED, Event, Journal
from ck_repo.campaign.machine_packages import reported_packages
from ck_repo.campaign.optional import optional
from ck_repo.campaign.planning import plan_cells
from ck_repo.campaign.queue import Job, Queue
from ck_repo.campaign.recorded import Recorded
from ck_repo.campaign.remote import MEASUREMENT, run_remote
from ck_repo.campaign.settling import Waiting
from ck_repo.campaign.sweep import COMPLETE, OUT_OF_TIME, Outcome, begin
from ck_repo.campaign.venv_file import VenvFile, send_venv
from ck_repo.errors import MismatchError
from ck_repo.experiments.meta import read_experiment
from ck_repo.resolve.component import read_component
from ck_repo.session import Session
from ck_repo.store.archive import unpack_entries
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.search import find, load
from ck_repo.store.work import scratch_folder

_LOOK = 1.0  # s between checks of the cluster
_REST = 10.0  # s until a machine that was not ready is asked again
_AWAY = 120.0  # s without a machine for any remaining run before the command ends
GONE = "machines gone"
_TRIES = 3  # maximum number of times that a run may lose its worker


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
        machines = ready_machines(cluster)
        progress.say(f"machines: {', '.join(machine.name for machine in machines)}")
        planned = plan_cells(session, program, campaign.cells())
        if venv_file:
            recorded = Recorded(session, venv_file.lock)
        else:
            there = reported_packages(cluster, machines, {row.cell.options.venv for row in planned})
            recorded = Recorded(session, there=there)
        each = tuple(machine.name for machine in machines) if campaign.definition.each_machine else ()
        journal = campaign.journal
        queue = begin(campaign, limits, planned, recorded, each, elsewhere=True, journal=journal)
        found, _ = queue.counts()
        running = _Running(
            session, program, campaign, limits, cluster, queue, journal, Estimates(recorded), repository, venv_file
        )
        state = running.run(machines)
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
        queue: Queue,
        journal: Journal,
        estimates: Estimates,
        repository: str,
        venv_file: VenvFile | None,
    ) -> None:
        self._venv_file, self._journal = venv_file, journal
        self._making: dict[str, Future[None]] = {}  # of venvs, by machine
        self._session, self._program, self._campaign, self._limits = session, program, campaign, limits
        self._cluster, self._queue, self._estimates, self._repository = cluster, queue, estimates, repository
        self._digest = read_component(program).digest
        self._distributed = optional("distributed", "cluster")
        self._under_way: dict[Any, tuple[Job, str, str]] = {}  # with the machine and the address of the worker
        self._begun = time.monotonic()
        self._tries: dict[str, int] = {}  # number of lost runs, by the cell's key
        self._idle_since: float | None = None
        self._workers: dict[str, str] = {}  # the machine of each, by its name; empty for one that is not used
        self._unusable: set[str] = set()  # machines that cannot make any run, or were not ready for too long
        self._failed_on: dict[str, set[str]] = {}  # machines on which a cell failed, by its key
        self._waiting = Waiting(limits.settling.seconds, _REST)
        self._asked_at, self._addresses_then = -_LOOK, dict[str, str]()

    def run(self, machines: Sequence[Machine]) -> str:
        """Start runs until none remain or the time is up; return the final state."""
        state = COMPLETE
        self._workers = dict.fromkeys(self._cluster.asked, "")
        self._workers |= {name: machine.name for machine in machines for name in machine.workers}
        try:
            with progress.task("runs", sum(self._queue.counts()), "runs") as task:
                while True:
                    present = self._present()
                    if state == COMPLETE and not self._hand_out(present):
                        state = OUT_OF_TIME
                    if not self._under_way:
                        if not self._has_usable():
                            raise ClusterError(
                                "every machine was skipped",
                                hint="the warnings give the reasons; fix them and run the same command to continue",
                            )
                        if state != COMPLETE or not self._queue.counts()[1] or self._has_waited():
                            return state if state != COMPLETE or not self._queue.counts()[1] else GONE
                        continue
                    self._idle_since = None
                    with self._journal.together():
                        for future in self._ended():
                            self._take(future)
                    made, left = self._queue.counts()
                    task.advance_to(made, made + left)
        finally:
            for future in self._under_way:
                future.cancel()

    def _present(self) -> dict[str, str]:
        """The machines that have a worker now, with its address; new ones join unless every machine makes every run."""
        if self._cluster.client.status not in ("running", "connecting"):
            raise ClusterError("the scheduler has ended", hint="start it again; the same command continues")
        addresses = self._addresses()
        if not self._campaign.definition.each_machine and (new := addresses.keys() - self._workers.keys()):
            self._workers |= dict.fromkeys(new, "")  # those that cannot be used are asked once
            for machine in usable(self._cluster.machines(new)):
                progress.say(f"{machine.name} has joined")
                self._workers |= dict.fromkeys(machine.workers, machine.name)
        found: dict[str, str] = {}
        for name, address in addresses.items():
            if (machine_name := self._workers.get(name)) and machine_name not in self._unusable:
                found.setdefault(machine_name, address)
        if self._venv_file:
            found = {name: address for name, address in found.items() if self._has_venv(name, address, self._venv_file)}
        there = set(addresses.values())
        for future, (job, name, address) in list(self._under_way.items()):
            if address not in there and not future.done():  # a restarted worker has another address
                self._lost(future, job, name)
        return found

    def _addresses(self) -> dict[str, str]:
        """The address of each worker by its name; asked once a second, as the answer grows with the number of machines."""
        now = time.monotonic()
        if now - self._asked_at >= _LOOK:
            rows = self._cluster.client.scheduler_info(n_workers=-1)["workers"]
            self._asked_at = now
            self._addresses_then = {str(row["name"]): str(address) for address, row in rows.items()}
        return self._addresses_then

    def _has_venv(self, machine: str, address: str, file: VenvFile) -> bool:
        """Whether a machine has the campaign's venv; if not, its creation is started."""
        if machine not in self._making:
            made: Future[None] = Future()
            self._making[machine] = made

            def make() -> None:
                try:
                    send_venv(self._cluster, machine, address, file, trust=self._session.trust)
                except Exception as error:
                    progress.warn(f"{machine} is skipped: {error}")
                    made.set_exception(error)
                else:
                    made.set_result(None)

            Thread(target=make, daemon=True).start()
        made = self._making[machine]
        return made.done() and made.exception() is None

    def _has_usable(self) -> bool:
        """Whether any machine can make runs, as far as is known."""
        return any(machine and machine not in self._unusable for machine in self._workers.values())

    def _has_waited(self) -> bool:
        """Whether no machine could make the remaining runs for some time; waits briefly."""
        now = time.monotonic()
        if self._making and all(made.done() and made.exception() for made in self._making.values()):
            raise ClusterError("no machine has the campaign's venv", hint="the warnings say why")
        if self._waiting or any(not made.done() for made in self._making.values()):
            self._idle_since = None
        self._idle_since = self._idle_since or now
        time.sleep(_LOOK)
        return now - self._idle_since > _AWAY

    def _hand_out(self, present: Mapping[str, str]) -> bool:
        """Start runs on idle machines; return False if the time is up."""
        busy = {machine for _, machine, _ in self._under_way.values()}
        self._waiting.keep(present)
        unready = busy | self._waiting.resting()
        free = {name: address for name, address in present.items() if name not in unready}
        waiting: list[Job] = []
        in_time = True
        while free and (job := self._queue.next(free)):
            left = None if self._limits.total is None else self._limits.total - (time.monotonic() - self._begun)
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
        names = {"uid": self._campaign.entry.uid, "alias": self._campaign.entry.alias}
        task = {
            "program": self._program.uid,
            "digest": self._digest,
            "options": job.options.as_data(),
            "cell": job.cell.key,
            "repetition": job.repetition,
            "campaign": names,
            "limit": min((each for each in (self._limits.run, left) if each is not None), default=None),
            "trust": self._session.trust,
            "settling": self._limits.settling.as_data(),
            "venv": self._venv_file.as_data() if self._venv_file else None,
        }
        return self._cluster.client.submit(
            run_remote, task, pure=False, resources={MEASUREMENT: 1}, workers=[address], allow_other_workers=False
        )

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
        job, machine, _ = self._under_way[future]
        if future.status != "finished":
            self._lost(future, job, machine)
            return
        del self._under_way[future]
        answer: Mapping[str, Any] = future.result()
        future.release()
        if "waits" in answer:
            self._queue.given_back(job)
            if self._waiting.note(machine, str(answer["waits"])):
                self._unusable.add(machine)
            return
        self._waiting.forget(machine)
        if "error" in answer:
            if answer.get("over_time") and self._limits.total and time.monotonic() - self._begun >= self._limits.total:
                self._queue.given_back(job)
                return
            if answer.get("unusable"):
                progress.warn(f"{machine} is skipped from now on: {answer['error']}")
                self._unusable.add(machine)
                self._queue.given_back(job)
                return
            progress.warn(f"{machine}: {job.cell}: {answer['error']}")
            self._failed_on.setdefault(job.cell.key, set()).add(machine)
            self._queue.failed(job, str(answer["error"]), machine)
            return
        entry = take_home(self._session, answer, self._repository)
        self._estimates.note(job.options, float(answer["seconds"]))
        self._queue.finished(job, entry.uid, read_experiment(entry), machine, float(answer["seconds"]))

    def _lost(self, future: Any, job: Job, machine: str) -> None:
        """Handle a run whose worker died, or that was cancelled with its scheduler."""
        del self._under_way[future]
        why = "cancelled" if future.cancelled() or not future.done() else type(future.exception()).__name__
        future.cancel()
        self._tries[job.cell.key] = self._tries.get(job.cell.key, 0) + 1
        if self._tries[job.cell.key] < _TRIES:
            progress.warn(f"{machine} was lost in a run of {job.cell} ({why}); the run is repeated")
            self._queue.given_back(job)
        else:
            self._queue.failed(job, f"its worker died {_TRIES} times ({why})", machine)


def take_home(session: Session, answer: Mapping[str, Any], repository: str) -> Entry:
    """Import an experiment under its own UID; an existing one is kept.

    Raises
    ------
    MismatchError
        If the archive does not have the worker's digest.
    """
    uid, content = str(answer["uid"]), bytes(answer["archive"])
    if sha256(content).hexdigest() != answer["sha256"]:
        raise MismatchError(
            f"the experiment {uid} of {answer['machine']} was damaged in transfer", hint="run the command again"
        )
    if find(session.repositories, "experiment", uid):  # the worker uses the same repositories, or it was imported before
        return load(session.repositories, "experiment", uid)
    with scratch_folder(repos_root(), "home") as folder:
        path = Path(folder) / "experiment.zip"
        path.write_bytes(content)
        entries, _ = unpack_entries(path, session.repositories, session.repositories.writable(repository), "experiment")
    return entries[0]

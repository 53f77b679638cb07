"""Run a campaign's matrix on the machines of a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import Campaign
from ck_repo.campaign.cluster import Cluster, ClusterError, Machine, ready_machines
from ck_repo.campaign.definition import Limits
from ck_repo.campaign.estimate import Estimates
from ck_repo.campaign.journal import STOPPED, Event
from ck_repo.campaign.optional import optional
from ck_repo.campaign.planning import plan_cells
from ck_repo.campaign.queue import Job, Queue
from ck_repo.campaign.recorded import Recorded
from ck_repo.campaign.remote import MEASUREMENT, run_remote
from ck_repo.campaign.sweep import COMPLETE, OUT_OF_TIME, Outcome, begin
from ck_repo.errors import NotTheSameError
from ck_repo.experiments.meta import read_experiment
from ck_repo.resolve.component import read_component
from ck_repo.session import Session
from ck_repo.store.archive import unpack_entries
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.search import find, load
from ck_repo.store.work import scratch_folder

_LOOK = 1.0  # s between checks of the cluster
_AWAY = 120.0  # s without a machine for any remaining run before the command ends
GONE = "machines gone"
_TRIES = 3  # maximum number of times that a run may lose its worker


def distribute(
    session: Session, program: Entry, campaign: Campaign, limits: Limits, cluster: Cluster, *, repository: str = ""
) -> Outcome:
    """Make the remaining runs of a campaign on a cluster.

    A machine makes one run at a time, whatever its number of workers. A run whose worker dies is repeated, at most three times.
    Each experiment is transferred unchanged, under its own UID.
    """
    with campaign.running():
        machines = ready_machines(cluster)
        progress.say(f"machines: {', '.join(machine.name for machine in machines)}")
        recorded = Recorded(session)
        planned = plan_cells(session, program, campaign.cells())
        each = tuple(machine.name for machine in machines) if campaign.definition.each_machine else ()
        queue = begin(campaign, limits, planned, recorded, each, elsewhere=True)
        found, _ = queue.counts()
        running = _Running(session, program, campaign, limits, cluster, queue, Estimates(recorded), repository)
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
        estimates: Estimates,
        repository: str,
    ) -> None:
        self._session, self._program, self._campaign, self._limits = session, program, campaign, limits
        self._cluster, self._queue, self._estimates, self._repository = cluster, queue, estimates, repository
        self._digest = read_component(program).digest
        self._distributed = optional("distributed", "cluster")
        self._under_way: dict[Any, tuple[Job, str, str]] = {}  # with the machine and the address of the worker
        self._begun = time.monotonic()
        self._tries: dict[str, int] = {}  # number of lost runs, by the cell's key
        self._idle_since: float | None = None

    def run(self, machines: Sequence[Machine]) -> str:
        """Start runs until none is left, or the time is over; return the final state."""
        state = COMPLETE
        try:
            with progress.task("runs", sum(self._queue.counts()), "runs") as task:
                while True:
                    present = self._present(machines)
                    if state == COMPLETE and not self._hand_out(present):
                        state = OUT_OF_TIME
                    if not self._under_way:
                        if state != COMPLETE or not self._queue.counts()[1] or self._has_waited():
                            return state if state != COMPLETE or not self._queue.counts()[1] else GONE
                        continue
                    self._idle_since = None
                    for future in self._ended():
                        self._take(future)
                    made, left = self._queue.counts()
                    task.advance_to(made, made + left)
        finally:
            for future in self._under_way:
                future.cancel()

    def _present(self, machines: Sequence[Machine]) -> dict[str, str]:
        """The machines that have a worker now, with its address."""
        if self._cluster.client.status not in ("running", "connecting"):
            raise ClusterError("the scheduler has ended", hint="start it again; the same command continues")
        rows = self._cluster.client.scheduler_info(n_workers=-1)["workers"]
        addresses = {str(row["name"]): str(address) for address, row in rows.items()}
        found = {}
        for machine in machines:
            if here := [addresses[name] for name in machine.workers if name in addresses]:
                found[machine.name] = here[0]
        for future, (job, name, address) in list(self._under_way.items()):
            if address not in rows and not future.done():  # a restarted worker has another address
                self._lost(future, job, name)
        return found

    def _has_waited(self) -> bool:
        """Whether no machine could make the remaining runs for some time; waits briefly."""
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        time.sleep(_LOOK)
        return now - self._idle_since > _AWAY

    def _hand_out(self, present: Mapping[str, str]) -> bool:
        """Start runs on idle machines; return False if the time is over."""
        busy = {machine for _, machine, _ in self._under_way.values()}
        free = {name: address for name, address in present.items() if name not in busy}
        waiting: list[Job] = []
        in_time = True
        while free and (job := self._queue.next()):
            left = None if self._limits.total is None else self._limits.total - (time.monotonic() - self._begun)
            if left is not None and left < self._estimates.seconds(job.options):
                waiting.append(job)
                in_time = False
                break
            name = job.machine or next(iter(free))
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
        if "error" in answer:
            if answer.get("over_time") and self._limits.total and time.monotonic() - self._begun >= self._limits.total:
                self._queue.given_back(job)
                return
            progress.warn(f"{machine}: {job.cell}: {answer['error']}")
            self._queue.failed(job, " ".join(str(answer["error"]).split()), machine)
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
    NotTheSameError
        If the archive does not have the worker's digest.
    """
    uid, content = str(answer["uid"]), bytes(answer["archive"])
    if sha256(content).hexdigest() != answer["sha256"]:
        raise NotTheSameError(
            f"the experiment {uid} of {answer['machine']} was damaged in transfer", hint="run the command again"
        )
    if find(session.repositories, "experiment", uid):  # the worker uses the same repositories, or it was imported before
        return load(session.repositories, "experiment", uid)
    with scratch_folder(repos_root(), "home") as folder:
        path = Path(folder) / "experiment.zip"
        path.write_bytes(content)
        entries, _ = unpack_entries(path, session.repositories, session.repositories.writable(repository), "experiment")
    return entries[0]

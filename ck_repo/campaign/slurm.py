"""Workers that are Slurm jobs, submitted with dask-jobqueue."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.campaign.certificates import HTTP, security
from ck_repo.campaign.optional import optional
from ck_repo.campaign.remote import MEASUREMENT
from ck_repo.campaign.slurm_profile import SlurmProfile
from ck_repo.child import capture, last_lines
from ck_repo.child_environment import child_environment
from ck_repo.errors import RunError
from ck_repo.store.folders import repos_root, tools_root
from ck_repo.store.work import scratch_folder

_ANSWER = 60  # s for a command of Slurm's
_LOOK = 1.0  # s between two checks of the jobs
_HELD = "HELD: "  # an operator, the user or a failed start holds a job; it does not start by itself
_GRACE = 10.0  # s for a worker to reach the scheduler after its job is no longer listed


class SlurmError(RunError):
    """Slurm does not start a worker."""


@contextmanager
def slurm_workers(profile: SlurmProfile, files: Mapping[str, str], *, every: bool = False) -> Iterator[str]:
    """A scheduler here and its workers as jobs, during the block: the scheduler's address. Jobs are cancelled afterwards.

    Parameters
    ----------
    every
        Whether to wait for the workers of all jobs; else for the first.

    Raises
    ------
    SlurmError
        If Slurm refuses the job, or all jobs end without a worker.
    """
    jobqueue = _jobqueue()
    logs = Path(profile.logs).expanduser().absolute() if profile.logs else None
    with scratch_folder(repos_root(), "slurm") as folder:
        logs = logs or folder
        logs.mkdir(parents=True, exist_ok=True)
        with jobqueue.SLURMCluster(**_settings(profile, files, logs)) as cluster:
            _check(cluster.job_script(), folder / "job.sh")
            cluster.scale(jobs=profile.machines)
            _await_workers(cluster, profile, logs, profile.machines if every else 1)
            yield cluster.scheduler_address


def _jobqueue() -> Any:
    """dask-jobqueue, which replaces the handlers of signals when it is imported: Ctrl-C has to stay an interrupt."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return optional("dask_jobqueue", "cluster")
    finally:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _settings(profile: SlurmProfile, files: Mapping[str, str], logs: Path) -> dict[str, object]:
    variables = {
        "CK_REPOS": profile.repos or str(repos_root()),
        "CK_TOOLS": profile.tools or str(tools_root()),
        **dict(profile.environment),
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    python = str(Path(profile.python).expanduser()) if profile.python else sys.executable
    scheduler = {"dashboard_address": HTTP, "dashboard": False, **({"host": profile.address} if profile.address else {})}
    return {
        "cores": 1,  # of the worker, which makes one run at a time
        "job_cpu": profile.cores,
        "memory": "1GB",  # for dask-jobqueue, which needs one; the worker has no limit, and the job that of the profile
        "job_mem": profile.memory or None,
        "job_directives_skip": [] if profile.memory else ["--mem="],
        "processes": 1,
        "queue": profile.partition or None,
        "account": profile.account or None,
        "walltime": profile.time or None,
        "job_extra_directives": [*(["--exclusive"] if profile.exclusive else []), *profile.directives],
        "job_script_prologue": [*exports, *profile.setup],
        "python": shlex.quote(python),
        "worker_extra_args": [
            "--resources",
            f"{MEASUREMENT}=1",
            "--memory-limit",
            "0",
            "--no-dashboard",
            f"--dashboard-address={HTTP}",
        ],
        "name": "ck",
        "log_directory": str(logs),
        "local_directory": "/tmp",
        "interface": profile.interface or None,
        "protocol": "tls://",
        "security": security(files),
        "scheduler_options": scheduler,
        "death_timeout": 120,
    }


def _check(script: str, path: Path) -> None:
    """Have Slurm check a job before it is submitted."""
    path.write_text(script, encoding="utf-8")
    try:
        done = capture(["sbatch", "--test-only", str(path)], child_environment(), timeout=_ANSWER)
    except FileNotFoundError:
        raise SlurmError("sbatch is not installed here", hint="run the command on a login node of the Slurm cluster") from None
    except TimeoutError:
        raise SlurmError(
            f"Slurm does not answer within {_ANSWER} s", hint="`sinfo` shows whether its controller runs"
        ) from None
    if done.status:
        lines = done.errors.decode(errors="replace").strip().splitlines()
        why = " ".join(line.removeprefix("sbatch: error: ").removeprefix("allocation failure: ") for line in lines)
        raise SlurmError(f"Slurm refuses the job: {why}", hint="`sinfo` lists partitions and nodes; fix the profile")


def _await_workers(cluster: Any, profile: SlurmProfile, logs: Path, minimum: int) -> None:
    """Wait until so many jobs have a worker; jobs may wait for nodes as long as the profile allows."""
    began = time.monotonic()
    gone_since, said = None, False
    while len(cluster.scheduler.workers) < minimum:
        time.sleep(_LOOK)
        waited = time.monotonic() - began
        if profile.wait is not None and waited > profile.wait:
            started = len(cluster.scheduler.workers)
            raise SlurmError(f"{started} jobs have started a worker within {profile.wait:g} s, not {minimum}", hint=_hint(logs))
        jobs = [str(job.job_id) for job in list(cluster.workers.values()) if getattr(job, "job_id", None)]
        states = _states(jobs) if jobs else {}
        held = sorted({state for state in states.values() if state.startswith(_HELD)})
        waiting = sum(state not in held for state in states.values())
        if jobs and waiting + profile.machines - len(jobs) < minimum:  # some may not be submitted yet
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > _GRACE:
                if held:
                    hint = "`scontrol show job` and the log of slurmd on the nodes say why; `scontrol release` lets a job start"
                    raise SlurmError(f"Slurm holds the jobs: {held[0].removeprefix(_HELD)}", hint=hint)
                raise SlurmError(f"jobs ended without a worker: {_last_words(logs)}", hint=_hint(logs))
        else:
            gone_since = None
        if states and not said and set(states.values()) == {"PENDING"}:
            said = True
            progress.say(f"{len(states)} jobs wait for nodes: `squeue --jobs={','.join(states)}`", always=True)


def _states(jobs: list[str]) -> dict[str, str]:
    """The states of jobs that Slurm still has, by their numbers; of a held job `_HELD` and the reason."""
    try:
        done = capture(["squeue", "-h", "-j", ",".join(jobs), "-o", "%i %T %r"], child_environment(), timeout=_ANSWER)
    except TimeoutError:
        return dict.fromkeys(jobs, "UNKNOWN")
    if done.status and b"Invalid job id" not in done.errors:
        return dict.fromkeys(jobs, "UNKNOWN")
    rows = [line.split(maxsplit=2) for line in done.output.decode(errors="replace").splitlines()]
    ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "COMPLETING")
    return {
        number: f"{_HELD}{reason}" if state == "PENDING" and "held" in reason.lower() else state
        for number, state, reason in (row for row in rows if len(row) == 3)
        if state not in ended
    }


def _last_words(logs: Path) -> str:
    """The last line that a job wrote to stderr."""
    for path in sorted(logs.glob("*.err"), key=lambda path: path.stat().st_mtime, reverse=True):
        if text := last_lines(path, 1).strip():
            return text[:300]
    return "they left no message"


def _hint(logs: Path) -> str:
    return f"python, repos and setup of the profile have to be right on the nodes, and {logs} a folder that they share"

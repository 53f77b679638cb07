"""A simulated campaign: ``python benchmarks/campaign.py [--machines=1000] [--cells=100000]``; prints JSON.

The queue, the journal, the distribution of runs and Dask's scheduler are those of every campaign, with TLS. The harness is not:
each machine is a worker of Dask's among hundreds in a process, which answers at once with an experiment that was recorded
before. So what is left is the overhead of a cell on the machine that carries out the campaign.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ck_repo.store.entry import Entry

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
_A_PROCESS = 250  # workers
_TOGETHER = 100  # runs that end together, without a cluster
# what a worker of Dask's does all the time: 9 ms of CPU a second, which is little for a machine and too much for a thousand
_QUIET = {
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.host-cpu": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.tick.interval": "10s",
    "distributed.worker.profile.enabled": False,
}


def hello_of_worker(dask_worker: Any) -> dict[str, Any]:
    """What a machine says of itself; Dask passes the worker."""
    from ck_repo.campaign.remote import hello

    return {**hello(), "machine": str(dask_worker.name)}


def run_of_worker(task: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a machine, without a run."""
    from distributed import get_worker

    return {
        "uid": "0" * 16,
        "machine": str(get_worker().name),
        "seconds": 10.0,
        "archive": b"",
        "sha256": sha256(b"").hexdigest(),
    }


async def be_workers(address: str, first: int, count: int, certificates: Mapping[str, str]) -> None:
    """Be machines until the scheduler is gone."""
    import dask
    from distributed import Worker

    from ck_repo.campaign.certificates import HTTP, security
    from ck_repo.campaign.remote import MEASUREMENT

    dask.config.set(_QUIET)
    trusted = security(certificates)
    workers = [
        Worker(
            address, nthreads=1, name=f"machine-{number}", security=trusted, resources={MEASUREMENT: 1},
            memory_limit=0, host="127.0.0.1", dashboard_address=HTTP, dashboard=False,
        )
        for number in range(first, first + count)
    ]  # fmt: skip
    for worker in workers:
        await worker
    await asyncio.gather(*(worker.finished() for worker in workers))


def _axes(cells: int) -> dict[str, tuple[int, ...]]:
    """Values of options with so many combinations."""
    if cells < 10_000:
        return {"batch_size": tuple(range(1, cells + 1))}
    sizes = tuple(range(1, 101))
    return {"batch_size": sizes, "threads": sizes, "sessions": tuple(range(1, cells // 10_000 + 1))}


def queue_alone(cells: int) -> dict[str, float]:
    """Plan a campaign and go through its queue and journal, without a cluster: CPU seconds and MiB."""
    from toy_benchmark import toy_benchmark

    from ck_repo.campaign.campaign import open_campaign
    from ck_repo.campaign.definition import Definition, Limits
    from ck_repo.campaign.matrix import Matrix
    from ck_repo.campaign.planning import plan_cells
    from ck_repo.campaign.recorded import Recorded
    from ck_repo.campaign.sweep import begin
    from ck_repo.cli.main import main as command
    from ck_repo.experiments.meta import read_experiment
    from ck_repo.session import Session
    from ck_repo.store.repositories import Repositories
    from ck_repo.store.search import find

    program = toy_benchmark()
    if command(["run", "program:toy-bench", "--trust", "--quiet", "--out=json"]):
        raise SystemExit("the toy benchmark does not run")
    entry = find(Repositories(), "experiment")[0]
    meta, session, began = read_experiment(entry), Session(trust=True), time.process_time()
    campaign = open_campaign(session, Definition(program.uid, Matrix({}, _axes(cells))), name="queued")
    journal = campaign.journal
    planned = plan_cells(session, program, campaign.cells())
    queue = begin(campaign, Limits(), planned, Recorded(session), elsewhere=True, journal=journal)
    while queue.counts()[1]:
        with journal.together():
            for _ in range(_TOGETHER):
                if job := queue.next():
                    queue.begin(job)
                    queue.finished(job, entry.uid, meta, "machine", 10.0)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"machines": 0, "cells": cells, "cpu_ms_a_cell": 1e3 * seconds / cells, "MiB": peak}


def simulate(machines: int, cells: int) -> dict[str, float]:
    """Carry out a campaign on a cluster that is there: seconds and MiB."""
    from toy_benchmark import toy_benchmark

    from ck_repo.campaign import cluster as clusters
    from ck_repo.campaign import distribute as distribution
    from ck_repo.campaign.campaign import open_campaign
    from ck_repo.campaign.certificates import certificates, create_certificates
    from ck_repo.campaign.definition import Definition, Limits
    from ck_repo.campaign.matrix import Matrix
    from ck_repo.campaign.results import counts
    from ck_repo.cli.main import main as command
    from ck_repo.session import Session
    from ck_repo.store.repositories import Repositories
    from ck_repo.store.search import find

    program = toy_benchmark()
    create_certificates(Session())
    if command(["run", "program:toy-bench", "--trust", "--quiet", "--out=json"]):
        raise SystemExit("the toy benchmark does not run")
    entry = find(Repositories(), "experiment")[0]
    home = _seconds_to_take_home(entry)
    setattr(clusters, "hello", hello_of_worker)  # noqa: B010
    setattr(distribution, "run_remote", run_of_worker)  # noqa: B010
    setattr(distribution, "take_home", lambda session, answer, repository: entry)  # noqa: B010
    files = certificates(Session())
    with _Cluster(machines, files) as address:
        session = Session(trust=True)
        campaign = open_campaign(session, Definition(program.uid, Matrix({}, _axes(cells))), name="simulated")
        with clusters.connected(session, clusters.Place(address)) as cluster:
            cluster.client.wait_for_workers(machines, timeout=1800)
            bare = _seconds_of_plain_tasks(cluster.client, min(cells, 5000))
            before, began = time.process_time(), time.perf_counter()
            outcome = distribution.distribute(session, program, campaign, Limits(hopeless=0), cluster)
            wall, cpu = time.perf_counter() - began, time.process_time() - before
    if outcome.left or counts(campaign)["runs"] != len(campaign.cells()):
        raise SystemExit(f"{outcome.left} runs are left, and {counts(campaign)['runs']} were made")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "machines": machines,
        "cells": outcome.made,
        "ms_a_cell": 1e3 * wall / outcome.made,
        "cpu_ms_a_cell": 1e3 * cpu / outcome.made,
        "plain_task_ms": 1e3 * bare,
        "take_home_ms": 1e3 * home,
        "MiB": peak,
    }


def _seconds_of_plain_tasks(client: Any, count: int) -> float:
    """Seconds for a task that does nothing, of many that are submitted together: what Dask itself needs."""
    began = time.perf_counter()
    client.gather(client.map(abs, range(count), pure=False))
    return (time.perf_counter() - began) / count


def _seconds_to_take_home(entry: Entry) -> float:
    """Seconds, the median of several, to verify an archive and make an entry of it."""
    from ck_repo.campaign.distribute import take_home
    from ck_repo.campaign.messages import RunMade
    from ck_repo.session import Session
    from ck_repo.store.archive import pack_entries

    path = entry.path.parent / ".packed.zip"
    pack_entries([entry], path)
    content = path.read_bytes()
    path.unlink()
    answer = RunMade("here", 1.0, entry.uid, content, sha256(content).hexdigest())
    seconds = []
    for _ in range(9):
        shutil.rmtree(entry.path)
        began = time.perf_counter()
        take_home(Session(), answer, "")
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


class _Cluster:
    """A scheduler and workers in processes of their own."""

    def __init__(self, machines: int, files: Mapping[str, str]) -> None:
        self._machines, self._files = machines, files
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> str:
        from ck_repo.campaign.certificates import worker_words

        file = Path(tempfile.mkdtemp()) / "scheduler.json"
        words = ["--protocol", "tls", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        self._start("-m", "dask", "scheduler", *words, *worker_words(self._files))
        while not file.exists() or not file.read_text():
            time.sleep(0.1)
        address = str(json.loads(file.read_text())["address"])
        for first in range(0, self._machines, _A_PROCESS):
            count = min(_A_PROCESS, self._machines - first)
            self._start(__file__, "--workers", address, str(first), str(count), json.dumps(dict(self._files)))
        return address

    def _start(self, *words: str) -> None:
        command = [sys.executable, *words]
        self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()


def main() -> None:
    if sys.argv[1:2] == ["--workers"]:
        address, first, count, files = sys.argv[2:]
        asyncio.run(be_workers(address, int(first), int(count), json.loads(files)))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machines", type=int, default=1000, help="0: the queue and journal alone")
    parser.add_argument("--cells", type=int, default=100_000, help="below 10,000, or a multiple of that")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ck-campaign-") as scratch:
        os.environ |= {"CK_REPOS": f"{scratch}/CK", "CK_TOOLS": f"{scratch}/T", "CK_MEASUREMENT_LOCK": f"{scratch}/lock"}
        found = simulate(arguments.machines, arguments.cells) if arguments.machines else queue_alone(arguments.cells)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()

"""A sweep on real Dask workers: TLS, one measurement a machine, experiments at home, workers that are killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cluster_machines import copied_machine
from toy_benchmark import made_runs, toy_benchmark

from ck_repo.campaign.certificates import certificates, worker_words
from ck_repo.campaign.cluster import read_place, scheduler_here
from ck_repo.campaign.distribute import take_home
from ck_repo.errors import NotTheSameError, UsageError
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find

pytest.importorskip("distributed")
pytest.importorskip("cryptography")
WAIT = 120  # s; only what hangs takes as long
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust")


def experiments() -> list[Entry]:
    return find(Repositories(), "experiment")


class Machines:
    """A scheduler, and workers in processes of their own, each with its own CK_REPOS, CK_TOOLS and name."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.words = worker_words(certificates(Session()))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def scheduler(self) -> str:
        file = self.home / "scheduler.json"
        words = ["--protocol", "tls", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        self._begin([sys.executable, "-m", "dask", "scheduler", *words, *self.words], "scheduler", {})
        until = time.monotonic() + WAIT
        while not file.exists() or not file.read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]
        return self.address

    def worker(self, name: str, **variables: str) -> subprocess.Popen[bytes]:
        """A machine called `name`: a copy of the repositories, the toy among them."""
        environment = {**copied_machine(self.home / name, name), **variables}
        options = ["--nthreads", "1", "--resources", "measurement=1", "--memory-limit", "0", "--no-dashboard", "--name", name]
        command = [sys.executable, "-m", "dask", "worker", self.address, *options, "--host", "127.0.0.1", *self.words]
        return self._begin(command, name, environment)

    def _begin(self, command: list[str], name: str, variables: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(WAIT)


@pytest.fixture
def cluster(ck: Callable[..., Any], ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    toy_benchmark()
    assert ck("create", "cluster").code == 0
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "tests")]))
    found = Machines(ck_home)
    yield found
    found.stop()


def sweep(ck: Callable[..., Any], *words: str) -> dict[str, Any]:
    done = ck(*SWEEP, *words)
    assert done.code == 0, done.err
    answer: dict[str, Any] = done.json
    return answer


def test_certificates_are_readable_by_their_user_alone(ck: Callable[..., Any]) -> None:
    found = ck("create", "cluster:lab", "--out=json").json
    for path in found["files"].values():
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert ck("create", "cluster:lab").code == 4
    done = ck("sweep", "program:object-detection", "--over.batch_size=1,2", "--cluster=local")
    assert "there are no certificates cluster:default" in done.err
    assert "`ck create cluster`" in done.err


@pytest.mark.parametrize(
    "text", ["lokal", "local:0", "local:x", "tls://", "tls://host", "tls://host:99999", "http://host:1", "ssh:"]
)
def test_what_names_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a cluster"):
        read_place(text)


def test_nothing_but_tls_listens_for_other_machines(ck: Callable[..., Any]) -> None:
    assert ck("create", "cluster").code == 0
    files = certificates(Session())
    assert "--dashboard-address=127.0.0.1:0" in worker_words(files)
    with scheduler_here(files, "127.0.0.1", n_workers=0) as found:
        assert found.scheduler_address.startswith("tls://")
        assert found.scheduler.http_server.address == "127.0.0.1"


def test_a_damaged_experiment_is_refused() -> None:
    with pytest.raises(NotTheSameError, match="damaged in transfer"):
        take_home(Session(), {"uid": "0" * 16, "archive": b"x", "sha256": "0" * 64, "machine": "m"}, "")


def test_local_cluster_runs_each_cell_once(ck: Callable[..., Any], log: Path, cluster: Machines) -> None:
    words = ("--over.batch_size=1,4", "--repetitions=2")
    found = sweep(ck, *words, "--cluster=local:2")
    assert (found["made"], found["left"]) == (4, 0)
    assert len(experiments()) == len(made_runs(log)) == 4
    again = sweep(ck, *words, "--cluster=local")
    assert (again["made"], again["found"]) == (0, 4)
    assert sweep(ck, *words)["found"] == 4  # and without a cluster


def test_experiments_of_other_machines_come_home_whole(ck: Callable[..., Any], log: Path, cluster: Machines) -> None:
    address = cluster.scheduler()
    cluster.worker("one")
    cluster.worker("two")
    _wait_for_workers(cluster, 2)
    found = sweep(ck, "--over.batch_size=1,2,4,8", f"--cluster={address}")
    assert (found["made"], found["left"]) == (4, 0)
    home = {entry.uid: entry for entry in experiments()}
    there = {
        path.name: path for name in ("one", "two") for path in (cluster.home / name / "CK/local/experiment").glob("[0-9a-f]*")
    }
    assert set(home) == set(there)
    for uid, entry in home.items():
        for path in (path for path in there[uid].rglob("*") if path.is_file()):
            assert (entry.path / path.relative_to(there[uid])).read_bytes() == path.read_bytes()
    assert sweep(ck, "--over.batch_size=1,2,4,8", f"--cluster={address}")["found"] == 4


def test_every_cell_on_each_machine(ck: Callable[..., Any], log: Path, cluster: Machines) -> None:
    address = cluster.scheduler()
    cluster.worker("one")
    cluster.worker("two")
    _wait_for_workers(cluster, 2)
    found = sweep(ck, "--over.batch_size=1,4", "--each=machine", f"--cluster={address}")
    assert sorted((row["values"]["batch_size"], row["machine"]) for row in found["rows"]) == [
        (1, "one"), (1, "two"), (4, "one"), (4, "two"),
    ]  # fmt: skip
    assert "machine" in ck("show", f"campaign:{found['campaign']['data_uoa']}").out


def _wait_for_workers(cluster: Machines, count: int) -> None:
    from distributed import Client

    from ck_repo.campaign.certificates import security

    with Client(cluster.address, security=security(certificates(Session())), timeout=WAIT) as client:
        client.wait_for_workers(count, timeout=WAIT)


def test_a_killed_worker_gives_its_run_back(
    ck: Callable[..., Any], log: Path, cluster: Machines, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.scheduler()
    gate = ck_home / "gate"
    doomed = cluster.worker("doomed", TOY_WAITS_FOR=str(gate))
    words = ("--over.batch_size=1,4", f"--cluster={address}", "--name=mine")
    process = subprocess.Popen(
        [sys.executable, "-m", "ck_repo", *SWEEP, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until = time.monotonic() + WAIT
    while not made_runs(log):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(doomed.pid, signal.SIGKILL)  # Dask's nanny as well, as if the power had failed
    gate.touch()
    cluster.worker("doomed")
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert len(experiments()) == 2
    found = ck("show", "campaign:mine", "--out=json").json
    assert (found["runs"], found["left"]) == (2, 0)


def test_a_certificate_of_another_cluster_is_refused(
    ck: Callable[..., Any], cluster: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ck_repo.campaign.cluster._PATIENCE", 3.0)
    address = cluster.scheduler()
    assert ck("create", "cluster:other").code == 0
    done = ck(*SWEEP, "--over.batch_size=1,4", f"--cluster={address}", "--certificates=other")
    assert done.code == 7
    assert "cannot be reached" in done.json["error"]
    assert experiments() == []


def test_without_a_scheduler_or_workers_the_command_says_so(
    ck: Callable[..., Any], cluster: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ck_repo.campaign.cluster._PATIENCE", 2.0)
    done = ck(*SWEEP, "--over.batch_size=1,4", "--cluster=tls://127.0.0.1:1")
    assert done.code == 7
    assert "the scheduler tls://127.0.0.1:1 cannot be reached" in done.json["error"]
    done = ck(*SWEEP, "--over.batch_size=1,4", f"--cluster={cluster.scheduler()}")
    assert "the cluster has no worker" in done.json["error"]

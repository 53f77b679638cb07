"""A sweep on real Dask workers: TLS, one measurement a machine, experiments at home, workers that are killed."""

from __future__ import annotations

import platform
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from campaign_lab import WAIT, Lab, await_workers, until
from toy_benchmark import made_runs

from ck_repo import __version__
from ck_repo.campaign.campaign import read_campaign
from ck_repo.campaign.certificates import certificates, worker_words
from ck_repo.campaign.cluster import Machine, read_place, scheduler_here, usable
from ck_repo.campaign.distribute import take_home
from ck_repo.campaign.messages import About, RunMade
from ck_repo.errors import MismatchError, UsageError
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load

pytest.importorskip("distributed")
pytest.importorskip("cryptography")
pytestmark = pytest.mark.slow
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust")


def experiments() -> list[Entry]:
    return find(Repositories(), "experiment")


def sweep(ck: Callable[..., Any], *words: str) -> dict[str, Any]:
    done = ck(*SWEEP, *words)
    assert done.code == 0, done.err
    answer: dict[str, Any] = done.json
    return answer


def test_certificates_are_only_readable_by_their_user(ck: Callable[..., Any]) -> None:
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
def test_invalid_cluster_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a cluster"):
        read_place(text)


def test_only_tls_listens_for_other_machines(ck: Callable[..., Any]) -> None:
    assert ck("create", "cluster").code == 0
    files = certificates(Session())
    assert "--dashboard-address=127.0.0.1:0" in worker_words(files)
    with scheduler_here(files, "127.0.0.1", n_workers=0) as found:
        assert found.scheduler_address.startswith("tls://")
        assert found.scheduler.http_server.address == "127.0.0.1"


def test_damaged_experiment_is_refused() -> None:
    with pytest.raises(MismatchError, match="damaged in transfer"):
        take_home(Session(), RunMade("m", 1.0, "0" * 16, b"x", "0" * 64), "")


@pytest.mark.parametrize(
    ("about", "used", "message"),
    [
        ({}, True, ""),
        ({"version": "0.1"}, False, f"board is skipped: it has ck-repo 0.1, and this is {__version__}"),
        ({"python": "3.9.1"}, True, "board has Python 3.9, and this is"),
        ({"clock": 600}, True, "the clock of board is"),
    ],
)
def test_different_machines_are_a_warning(
    about: dict[str, Any], used: bool, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # The time is taken here: parameters are made when tests are collected, minutes before this one may run.
    now = time.time() + about.get("clock", 0)
    usual = About("board", __version__, platform.python_version(), now, "a processor")
    machine = Machine("board", ("board",), replace(usual, **{name: value for name, value in about.items() if name != "clock"}))
    assert usable([machine]) == ([machine] if used else [])
    assert message in capsys.readouterr().err


def test_second_command_for_running_campaign_is_refused(ck: Callable[..., Any], program: Entry, log: Path) -> None:
    sweep(ck, "--over.batch_size=1", "--name=mine")
    with read_campaign(load(Repositories(), "campaign", "mine")).running():
        done = ck(*SWEEP, "--over.batch_size=1", "--name=mine")
    assert done.code == 4
    assert "campaign:mine is being run by another process" in done.json["error"]


def test_local_cluster_runs_each_cell_once(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    assert ck("create", "cluster").code == 0
    words = ("--over.batch_size=1,4", "--repetitions=2")
    found = sweep(ck, *words, "--cluster=local:2")
    assert (found["made"], found["left"]) == (4, 0)
    assert len(experiments()) == len(made_runs(log)) == 4
    again = sweep(ck, *words)  # without a cluster
    assert (again["made"], again["found"]) == (0, 4)


def test_experiments_of_other_machines_arrive_complete(ck: Callable[..., Any], log: Path, lab: Lab) -> None:
    """A cell is run anywhere, and after that with other cells on each machine."""
    lab.worker("one")
    lab.worker("two", TOY_SPEED="2")
    await_workers(lab, "one", "two")
    found = sweep(ck, "--over.batch_size=1,2,4,8", f"--cluster={lab.address}")
    assert (found["made"], found["left"]) == (4, 0)
    home = {entry.uid: entry for entry in experiments()}
    there = {path.name: path for name in ("one", "two") for path in (lab.home / name / "CK/local/experiment").glob("[0-9a-f]*")}
    assert set(home) <= set(there)  # if a worker seemed lost on a busy machine, its run was repeated
    for uid, entry in home.items():
        for path in (path for path in there[uid].rglob("*") if path.is_file()):
            assert (entry.path / path.relative_to(there[uid])).read_bytes() == path.read_bytes()
    assert sweep(ck, "--over.batch_size=1,2,4,8", f"--cluster={lab.address}")["found"] == 4
    each = sweep(ck, "--over.threads=1,2", "--each=machine", f"--cluster={lab.address}")
    assert sorted((row["values"]["threads"], row["machine"]) for row in each["rows"]) == [
        (1, "one"), (1, "two"), (2, "one"), (2, "two"),
    ]  # fmt: skip
    shown = ck("show", f"campaign:{each['campaign']['data_uoa']}").out
    assert "each cell on each machine" in shown
    compared = ck("compare", *(f"experiment:{row['experiments'][0]['uid']}" for row in each["rows"][:2]), "--out=json").json
    assert sorted(compared["rows"]["machine"]) == ["one", "two"]
    machines, *cells = ck("compare", f"campaign:{each['campaign']['data_uoa']}", "--out=json").json["comparisons"]
    assert (machines["first"], machines["other"], machines["speed"]) == ("one", "two", pytest.approx(2.0))
    assert [row["machine"] for row in cells] == ["one", "two"]


def test_run_of_killed_worker_is_repeated(ck: Callable[..., Any], log: Path, lab: Lab, ck_home: Path) -> None:
    gate = ck_home / "gate"
    doomed = lab.worker("doomed", TOY_WAITS_FOR=str(gate))
    words = ("--over.batch_size=1,4", f"--cluster={lab.address}", "--name=mine")
    process = subprocess.Popen(
        [sys.executable, "-m", "ck_repo", *SWEEP, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(lambda: bool(made_runs(log)), process)
    lab.stop(doomed)  # as if the power had failed
    gate.touch()
    lab.worker("doomed")
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert len(experiments()) == 2
    found = ck("show", "campaign:mine", "--out=json").json
    assert (found["runs"], found["left"]) == (2, 0)


def test_unusable_cluster_is_named(ck: Callable[..., Any], lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """No scheduler, one with the certificate of another cluster, and one without workers."""
    monkeypatch.setattr("ck_repo.campaign.cluster._PATIENCE", 2.0)
    sweep_there = (*SWEEP, "--over.batch_size=1,4")
    done = ck(*sweep_there, "--cluster=tls://127.0.0.1:1")
    assert done.code == 7
    assert "the scheduler tls://127.0.0.1:1 cannot be reached" in done.json["error"]
    assert ck("create", "cluster:other").code == 0
    done = ck(*sweep_there, f"--cluster={lab.address}", "--certificates=other")
    assert done.code == 7
    assert "cannot be reached" in done.json["error"]
    monkeypatch.setattr("ck_repo.campaign.cluster._FIRST_WORKER", 0.5)
    monkeypatch.setattr("ck_repo.campaign.cluster._PATIENCE", 60.0)  # the connection itself is not bounded by the test
    done = ck(*sweep_there, f"--cluster={lab.address}")
    assert "the cluster has no worker" in done.json["error"]
    assert experiments() == []


def test_worker_with_certificate_of_another_cluster_is_refused(ck: Callable[..., Any], log: Path, lab: Lab) -> None:
    assert ck("create", "cluster:other").code == 0
    own, lab.words = lab.words, worker_words(certificates(Session(), "other"))
    lab.worker("stranger")
    lab.words = own
    until(lambda: "TLS handshake failed" in (lab.home / "scheduler.log").read_text())
    lab.worker("one")
    await_workers(lab, "one")
    found = sweep(ck, "--over.batch_size=1,4", f"--cluster={lab.address}")
    assert {row["machine"] for row in found["rows"]} == {"one"}


def test_time_limit_of_cluster_leaves_runs_for_the_next_call(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    """The toy's performance test says 10 s, so that a limit of 1 s leaves room for no run."""
    assert ck("create", "cluster").code == 0
    sweep(ck, "--over.batch_size=1")
    found = sweep(ck, "--over.batch_size=1,4", "--time_limit=1", "--cluster=local")
    assert (found["state"], found["found"], found["made"], found["left"]) == ("time limit", 1, 0, 1)
    found = sweep(ck, "--over.batch_size=1,4", "--cluster=local")
    assert (found["state"], found["left"]) == ("complete", 0)


def test_run_over_its_limit_is_ended_on_a_cluster(
    ck: Callable[..., Any], log: Path, program: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ck("create", "cluster").code == 0
    monkeypatch.setenv("TOY_HANGS", "4")
    done = ck(*SWEEP, "--over.batch_size=4", "--run_limit=0.5", "--cluster=local")
    assert done.code == 7
    assert "failed 2 times: the run was ended after its limit of 0.5 s" in done.json["error"]
    assert len(made_runs(log)) == 2


def test_measurements_of_two_commands_take_turns(
    ck: Callable[..., Any], log: Path, program: Entry, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a worker of its own on this machine."""
    assert ck("create", "cluster").code == 0
    gate, said = ck_home / "gate", ck_home / "second.txt"
    monkeypatch.setenv("TOY_WAITS_FOR", str(gate))
    command = [sys.executable, "-m", "ck_repo", *SWEEP, "--cluster=local"]
    first = subprocess.Popen([*command, "--over.batch_size=1,2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: bool(made_runs(log)), first)
    with said.open("wb") as err:
        second = subprocess.Popen([*command, "--over.batch_size=4,8"], stdout=err, stderr=err)
    until(lambda: "another campaign is measuring on this machine" in said.read_text(), second)
    assert len(made_runs(log)) == 1
    gate.touch()
    _, error = first.communicate(timeout=WAIT)
    assert first.returncode == 0, error
    assert second.wait(WAIT) == 0, said.read_text()
    assert len(made_runs(log)) == len(experiments()) == 4

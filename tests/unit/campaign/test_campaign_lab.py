"""A campaign on workers whose clock is wrong, whose disk is full, whose link is cut, and whose scheduler is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

import pytest
from bare_venv import put_package
from campaign_lab import WAIT, Lab, Link, await_workers, can_mount, held, until
from network_hosts import network
from toy_benchmark import made_runs, toy_benchmark

from ck_repo.campaign.campaign import read_campaign
from ck_repo.campaign.journal import FAILED
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load

pytest.importorskip("distributed")
pytest.importorskip("cryptography")
pytestmark = pytest.mark.slow
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust", "--over.batch_size=1,4", "--name=mine")
_FAKETIME = next(iter(glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
_AGAIN = 'while :; do "$@"; sleep 1; done'  # as docs/many-machines.md has it: Dask's workers end with their connection
_SMALL_DISK = 'mount -t tmpfs -o size=4k tmpfs "$CK_REPOS/local/experiment" && exec "$@"'


def experiments() -> list[Entry]:
    return find(Repositories(), "experiment")


def test_wrong_clock_is_warning_and_machine_with_full_disk_is_skipped(ck: Callable[..., Any], log: Path, lab: Lab) -> None:
    """The machine whose disk is full fails every run at once: if it were not skipped, all cells would fail."""
    if not _FAKETIME or not can_mount():
        pytest.skip("needs libfaketime and unshare, to mount a small disk")
    lab.worker("late", LD_PRELOAD=_FAKETIME, FAKETIME="-300s", DONT_FAKE_MONOTONIC="1")
    (Path(lab.machine("full")["CK_REPOS"]) / "local/experiment").mkdir()
    lab.worker("full", before=("unshare", "-rm", "sh", "-c", _SMALL_DISK, "sh"))
    await_workers(lab, "late", "full")
    done = ck(*SWEEP, f"--cluster={lab.address}")
    assert done.code == 0, done.err
    assert (done.json["made"], done.json["left"]) == (2, 0)
    assert {row["machine"] for row in done.json["rows"]} == {"late"}
    assert len(experiments()) == 2
    assert "the clock of late is 30" in done.err
    assert done.err.count("full is skipped from now on") == 1


def test_cut_link_neither_loses_nor_duplicates_runs(log: Path, lab: Lab, ck_home: Path) -> None:
    link, gate = Link(lab.port), ck_home / "gate"
    lab.worker("far", port=link.port, before=("sh", "-c", _AGAIN, "sh"), TOY_WAITS_FOR=str(gate))
    await_workers(lab, "far")
    process = lab.begin(*SWEEP)
    until(lambda: bool(made_runs(log)), process)
    link.sever()
    await_workers(lab)  # the scheduler has noticed
    gate.touch()
    link.restore()
    _, err = process.communicate(timeout=WAIT)
    link.sever()
    assert process.returncode == 0, err
    assert len(experiments()) == 2
    assert b"far was lost in a run" in err


def test_stalled_link_only_delays_run(log: Path, lab: Lab, ck_home: Path) -> None:
    """The run ends meanwhile, and its experiment arrives when the network is back."""
    link, gate = Link(lab.port), ck_home / "gate"
    lab.worker("far", port=link.port, TOY_WAITS_FOR=str(gate))
    await_workers(lab, "far")
    process = lab.begin(*SWEEP)
    until(lambda: bool(made_runs(log)), process)
    link.stall()
    gate.touch()
    there = Path(lab.machine("far")["CK_REPOS"]) / "local/experiment"
    until(lambda: any(there.glob("[0-9a-f]*/.cm/meta.json")), process)
    link.resume()
    _, err = process.communicate(timeout=WAIT)
    link.sever()
    assert process.returncode == 0, err
    assert b"was lost" not in err
    assert len(experiments()) == len(made_runs(log)) == 2


def test_disconnected_host_does_not_stop_the_others(ck: Callable[..., Any], log: Path, ck_home: Path) -> None:
    """Each has an address of its own. What a host finishes while its packets are lost is neither lost nor repeated."""
    toy_benchmark()
    assert ck("create", "cluster").code == 0
    gate, names = ck_home / "gate", ("one", "two", "three", "far")
    with network() as net:
        if net is None:
            pytest.skip("needs ip, unshare and nsenter, to make network namespaces")
        lab = Lab(ck_home, net.address, net.hub)
        try:
            lab.scheduler()
            for name in names:
                before, address = net.host(name)
                lab.worker(name, before=before, host=address, TOY_WAITS_FOR=str(gate))
            process = lab.begin(*SWEEP, "--over.threads=1,2")
            until(lambda: len(made_runs(log)) == len(names), process)  # all machines have a run
            net.cut("far")
            gate.touch()
            there = Path(lab.machine("far")["CK_REPOS"]) / "local/experiment"
            until(lambda: any(there.glob("[0-9a-f]*/.cm/meta.json")), process)
            net.restore("far")
            _, err = process.communicate(timeout=WAIT)
        finally:
            lab.stop()
    assert process.returncode == 0, err
    assert {entry.meta()["campaign"]["machine"] for entry in experiments()} == set(names)
    assert len(experiments()) == len(made_runs(log)) == 4


def test_machine_joins_and_idle_machine_is_named(log: Path, lab: Lab, ck_home: Path) -> None:
    gate = ck_home / "gate"
    lab.worker("one", TOY_WAITS_FOR=str(gate))
    lab.worker("plain", measures=False)
    await_workers(lab, "one", "plain")
    process = lab.begin(*SWEEP)
    until(lambda: bool(made_runs(log)), process)
    lab.worker("two")
    until(lambda: len(made_runs(log)) == 2, process)  # the first run still waits
    gate.touch()
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert sorted(entry.meta()["campaign"]["machine"] for entry in experiments()) == ["one", "two"]
    assert b"two has joined" in err
    assert err.count(b"is skipped: it was started without --resources measurement=1") == 1


def test_runs_of_machine_with_other_program_are_made_by_the_others(ck: Callable[..., Any], log: Path, lab: Lab) -> None:
    file = Path(lab.machine("other")["CK_REPOS"]) / "local/program/toy-bench/toy_harness/__main__.py"
    file.write_text(file.read_text() + "\n")
    lab.worker("other")
    lab.worker("same")
    await_workers(lab, "other", "same")
    done = ck(*SWEEP, f"--cluster={lab.address}")
    assert (done.json["made"], done.json["left"]) == (2, 0), done.err
    assert {row["machine"] for row in done.json["rows"]} == {"same"}
    assert "other is skipped from now on: its program:toy-bench differs from that of the campaign" in done.err


def test_cell_that_fails_on_one_machine_runs_on_another(ck: Callable[..., Any], log: Path, lab: Lab) -> None:
    lab.worker("bad", TOY_FAILS="1,4")
    lab.worker("good")
    await_workers(lab, "bad", "good")
    done = ck(*SWEEP, f"--cluster={lab.address}")
    assert (done.json["made"], done.json["left"]) == (2, 0), done.err
    assert {row["machine"] for row in done.json["rows"]} == {"good"}


def test_cell_that_kills_every_worker_is_dropped(
    ck: Callable[..., Any], log: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without machines the command ends after a while, and leaves the run for the next call."""
    monkeypatch.setattr("ck_repo.campaign.distribute._TRIES", 1)
    monkeypatch.setattr("ck_repo.campaign.machines._AWAY", 0.1)
    for name in ("one", "two"):
        lab.worker(name, TOY_KILLS_WITH="4")
    await_workers(lab, "one", "two")
    done = ck(*SWEEP, f"--cluster={lab.address}", "--exclude=batch_size=1")
    assert done.code == 7
    assert done.json["left"] == 0
    assert "failed 2 times: its worker died 1 times" in done.json["error"]
    monkeypatch.setattr("ck_repo.campaign.distribute._TRIES", 3)
    lab.worker("three", TOY_KILLS_WITH="4")
    await_workers(lab, "three")
    done = ck(*SWEEP, f"--cluster={lab.address}", "--exclude=batch_size=1")
    assert (done.json["state"], done.json["left"]) == ("machines gone", 1)
    assert "three was lost in a run of batch_size 4" in done.err


def _has_made(log: Path, count: int) -> bool:
    return len(made_runs(log)) == count


def test_runs_lost_on_several_machines_do_not_count_together(log: Path, lab: Lab, ck_home: Path) -> None:
    gate = ck_home / "gate"
    worker = lab.worker("first", TOY_WAITS_FOR=str(gate))
    await_workers(lab, "first")
    process = lab.begin(*SWEEP, "--exclude=batch_size=1")
    for number, name in enumerate(("second", "third", "fourth"), start=1):
        until(partial(_has_made, log, number), process)
        lab.stop(worker)
        worker = lab.worker(name, TOY_WAITS_FOR=str(gate))
    until(lambda: len(made_runs(log)) == 4, process)
    gate.touch()
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    events = read_campaign(load(Repositories(), "campaign", "mine")).events()
    assert FAILED not in {event.kind for event in events}
    assert [entry.meta()["campaign"]["machine"] for entry in experiments()] == ["fourth"]


def test_run_that_ended_after_command_was_killed_is_fetched(ck: Callable[..., Any], log: Path, lab: Lab, ck_home: Path) -> None:
    gate = ck_home / "gate"
    lab.worker("one", TOY_WAITS_FOR=str(gate))
    await_workers(lab, "one")
    process = lab.begin(*SWEEP)
    until(lambda: bool(made_runs(log)), process)
    process.kill()
    process.communicate(timeout=WAIT)
    gate.touch()
    there = Path(lab.machine("one")["CK_REPOS"]) / "local/experiment"
    until(lambda: any(there.glob("[0-9a-f]*/.cm/meta.json")))
    assert experiments() == []
    done = ck(*SWEEP, f"--cluster={lab.address}")
    assert (done.json["made"], done.json["left"]) == (2, 0), done.err
    assert len(made_runs(log)) == 2
    assert {entry.uid for entry in experiments()} == {path.name for path in there.glob("[0-9a-f]*")}


def test_worker_that_does_not_answer_is_skipped(
    ck: Callable[..., Any], log: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ck_repo.campaign.cluster._ANSWER", 1.0)
    stuck = lab.worker("stuck")
    await_workers(lab, "stuck")
    os.killpg(stuck.pid, signal.SIGSTOP)
    done = ck(*SWEEP, f"--cluster={lab.address}")
    assert done.code == 7
    assert "is skipped: it did not answer within 1 s" in done.err
    assert "no worker of the cluster can be used" in done.json["error"]


def test_machine_installs_nothing_while_another_command_measures_on_it(log: Path, lab: Lab, ck_home: Path) -> None:
    machine = lab.machine("one")
    installed = Path(machine["CK_REPOS"]) / "local/env"
    with held(Path(machine["CK_MEASUREMENT_LOCK"])):
        lab.worker("one")
        await_workers(lab, "one")
        process = lab.begin(*SWEEP)
        until(lambda: "another campaign is measuring" in (ck_home / "one.log").read_text(), process)
        assert list(installed.glob("[!.]*")) == []
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert list(installed.glob("[!.]*")) != []
    assert len(made_runs(log)) == 2


def test_machine_makes_its_runs_although_others_are_lost(
    ck: Callable[..., Any], log: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is killed in the first round, and one has another program: the third makes every repetition."""
    monkeypatch.setattr("ck_repo.campaign.machines._AWAY", 0.1)
    file = Path(lab.machine("unfit")["CK_REPOS"]) / "local/program/toy-bench/toy_harness/__main__.py"
    file.write_text(file.read_text() + "\n")
    lab.worker("unfit")
    lab.worker("doomed", TOY_KILLS_WITH="4")
    lab.worker("good")
    await_workers(lab, "unfit", "doomed", "good")
    done = ck(*SWEEP, f"--cluster={lab.address}", "--each=machine", "--repetitions=3")
    assert (done.json["state"], done.json["made"], done.json["left"]) == ("machines gone", 7, 11), done.err
    runs = [(row["values"]["batch_size"], row["machine"], len(row["experiments"])) for row in done.json["rows"]]
    assert sorted(row for row in runs if row[2]) == [(1, "doomed", 1), (1, "good", 3), (4, "good", 3)]


def test_runs_of_machine_count_by_its_own_packages(ck: Callable[..., Any], log: Path, lab: Lab) -> None:
    """It has the hardware of this machine, whose venv lacks its package; after an upgrade there the runs are repeated."""
    venv = Path(lab.machine("one")["CK_REPOS"]) / "local/venv/mlperf-inference/venv"
    put_package(venv, "thing", "1.0")
    lab.worker("one")
    await_workers(lab, "one")
    calls = []
    for version in ("1.0", "1.0", "2.0"):
        put_package(venv, "thing", version)
        done = ck(*SWEEP, f"--cluster={lab.address}")
        calls.append((done.json["found"], done.json["made"], done.json["left"]))
    assert calls == [(0, 2, 0), (2, 0, 0), (0, 2, 0)], done.err
    assert len(made_runs(log)) == 4


def test_campaign_continues_after_scheduler_was_killed(ck: Callable[..., Any], log: Path, lab: Lab, ck_home: Path) -> None:
    """The command continues with the new scheduler, or ends after a minute without one, and the same command continues it."""
    gate = ck_home / "gate"
    lab.worker("one", before=("sh", "-c", _AGAIN, "sh"), TOY_WAITS_FOR=str(gate))
    await_workers(lab, "one")
    process = lab.begin(*SWEEP)
    until(lambda: bool(made_runs(log)), process)
    lab.stop(lab.processes[0])
    gate.touch()
    lab.scheduler()
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0 or b"the scheduler has ended" in out, err
    done = ck(*SWEEP, f"--cluster={lab.address}")
    assert (done.json["state"], done.json["left"]) == ("complete", 0), done.err
    assert len(experiments()) == 2


def test_two_campaigns_share_machine(log: Path, lab: Lab) -> None:
    lab.worker("one")
    await_workers(lab, "one")
    both = [lab.begin(*SWEEP), lab.begin(*SWEEP, "--over.threads=1,2", "--name=other")]
    errors = [process.communicate(timeout=WAIT)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    names = sorted(entry.meta()["campaign"]["alias"] for entry in experiments())
    assert names == ["mine"] * 2 + ["other"] * 4
    assert len(made_runs(log)) == 6

"""A sweep: which cells are run, in which order, which are skipped, and how it continues after a stop."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bare_venv import put_package
from patience import PATIENCE
from servers import Server, whole
from servers import server as server
from toy_benchmark import made_runs

from ck_repo.campaign.campaign import Campaign, open_campaign
from ck_repo.campaign.definition import Definition, Limits
from ck_repo.campaign.journal import DROPPED, FAILED, RUN, Event
from ck_repo.campaign.matrix import Matrix
from ck_repo.campaign.measuring import measuring
from ck_repo.campaign.planning import plan_cells
from ck_repo.campaign.recorded import Recorded
from ck_repo.campaign.results import counts, results
from ck_repo.campaign.sweep import begin
from ck_repo.machine import gpu
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find
from ck_repo.store.writing import create_entry

pytestmark = pytest.mark.usefixtures("program")
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust")


def sweep(ck: Callable[..., Any], *words: str) -> dict[str, Any]:
    done = ck(*SWEEP, *words)
    assert done.code == 0, done.err
    answer: dict[str, Any] = done.json
    return answer


def experiments() -> list[Entry]:
    return find(Repositories(), "experiment")


def test_every_combination_is_run_and_recorded(ck: Callable[..., Any], log: Path) -> None:
    found = sweep(ck, "--over.batch_size=1,4", "--over.threads=1,2")
    assert made_runs(log) == [f"toy-plain {b} {t} accuracy+performance" for b in (1, 4) for t in (1, 2)]
    assert (found["cells"], found["runs"], found["left"], found["made"]) == (4, 4, 0, 4)
    assert [row["value"] for row in found["rows"]] == pytest.approx([11.0, 22.0, 14.0, 28.0])
    of_campaign = [entry.meta()["campaign"] for entry in experiments()]
    assert {row["uid"] for row in of_campaign} == {found["campaign"]["data_uid"]}
    assert len({row["cell"] for row in of_campaign}) == 4


def test_excluded_combinations_are_not_run(ck: Callable[..., Any], log: Path) -> None:
    sweep(ck, "--over.batch_size=1,4,8", "--over.threads=1,2", "--exclude=batch_size=4|8,threads=2;batch_size=1,threads=1")
    assert made_runs(log) == [f"toy-plain {b} {t} accuracy+performance" for b, t in ((1, 2), (4, 1), (8, 1))]


def test_repetitions_are_interleaved_and_measure_accuracy_once(ck: Callable[..., Any], log: Path) -> None:
    found = sweep(ck, "--over.batch_size=1,4", "--repetitions=3")
    both, again = "accuracy+performance", "performance"
    expected = [(1, both), (4, both), (4, again), (1, again), (1, again), (4, again)]
    assert made_runs(log) == [f"toy-plain {batch} 1 {modes}" for batch, modes in expected]
    assert [len(row["experiments"]) for row in found["rows"]] == [3, 3]
    assert [row["mAP"] for row in found["rows"]] == [0.5, 0.5]


def test_recorded_runs_are_not_repeated(ck: Callable[..., Any], log: Path) -> None:
    first = sweep(ck, "--over.batch_size=1,4")
    again = sweep(ck, "--over.batch_size=1,4")
    assert len(made_runs(log)) == 2
    assert again["campaign"] == first["campaign"]
    assert (again["made"], again["found"]) == (0, 2)
    assert again["rows"] == first["rows"]


def test_larger_matrix_and_plain_run_share_runs(ck: Callable[..., Any], log: Path) -> None:
    assert ck("run", "program:toy-bench", "--batch-size=2", "--trust").code == 0
    sweep(ck, "--over.batch_size=1")
    found = sweep(ck, "--over.batch_size=1,2,4")
    assert (found["found"], found["made"]) == (2, 1)
    assert len(made_runs(log)) == 3


def test_changed_package_in_venv_invalidates_runs(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    """Same options, another lock: an experiment of a package that has another version now does not count."""
    venv = program.path.parents[1] / "venv/mlperf-inference/venv"
    put_package(venv, "thing", "1.0")
    sweep(ck, "--over.batch_size=1")
    assert sweep(ck, "--over.batch_size=1")["made"] == 0
    put_package(venv, "thing", "2.0")
    found = sweep(ck, "--over.batch_size=1")
    assert (found["made"], found["found"]) == (1, 0)
    assert [len(row["experiments"]) for row in found["rows"]] == [1]


def test_cell_that_fails_twice_is_dropped_until_next_call(
    ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_FAILS", "4")
    found = sweep(ck, "--over.batch_size=1,4", "--repetitions=2")
    assert sum(line.startswith("toy-plain 4") for line in made_runs(log)) == 2
    assert "failed 2 times: the harness ended with exit status 1" in found["rows"][1]["why"]
    assert found["left"] == 0
    monkeypatch.delenv("TOY_FAILS")
    found = sweep(ck, "--over.batch_size=1,4", "--repetitions=2")
    assert (found["found"], found["made"]) == (2, 2)
    assert found["rows"][1]["why"] == ""


def test_command_fails_if_no_run_succeeds(ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_FAILS", "1,4")
    done = ck(*SWEEP, "--over.batch_size=1,4")
    assert done.code == 7
    assert "no run succeeded: failed 2 times" in done.json["error"]


def test_hopeless_cell_is_not_repeated(ck: Callable[..., Any], log: Path) -> None:
    found = sweep(ck, "--over.threads=1,3,4", "--repetitions=3")
    runs = made_runs(log)
    assert [sum(f" {threads} " in line.replace("toy-plain 1", "x") for line in runs) for threads in (1, 3, 4)] == [1, 3, 3]
    assert "0.25 of the speed of one that is at least as accurate" in found["rows"][0]["why"]
    assert len(made_runs(log)) == 7
    sweep(ck, "--over.threads=1,3,4", "--repetitions=3", "--hopeless=0")
    assert len(made_runs(log)) == 9


def test_cell_is_only_hopeless_beside_one_that_is_as_accurate(ck: Callable[..., Any], log: Path) -> None:
    found = sweep(ck, "--over.model=plain,fast", "--over.threads=1,2", "--repetitions=2", "--hopeless=0.6")
    by_values = {(row["values"]["model"], row["values"]["threads"]): row for row in found["rows"]}
    assert {key for key, row in by_values.items() if row["on_front"]} == {("plain", 2), ("fast", 2)}
    assert {key for key, row in by_values.items() if row["why"]} == {("fast", 1), ("plain", 1)}


def test_impossible_cell_does_not_stop_the_others(ck: Callable[..., Any], log: Path) -> None:
    found = sweep(ck, "--over.model=plain,missing")
    assert found["made"] == 1
    assert found["rows"][1]["why"].startswith("cannot run: ")


def test_cell_whose_device_is_missing_does_not_stop_the_others(
    ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "no-driver")
    monkeypatch.setattr(gpu, "DEVICES", tmp_path)
    foreseen = sweep(ck, "--over.device=cpu,cuda", "--dry-run")
    found = sweep(ck, "--over.device=cpu,cuda")
    assert (found["made"], found["left"]) == (1, 0)
    for rows in (foreseen["cells"], found["rows"]):
        assert [row["values"]["device"] for row in rows] == ["cpu", "cuda"]
        assert rows[0]["why"] == ""
        assert "there is no NVIDIA GPU" in rows[1]["why"]
    there = sweep(ck, "--over.device=cpu,cuda", "--cluster=local", "--dry-run")  # other machines may have one
    assert [row["why"] for row in there["cells"]] == ["", ""]


def test_time_limit_stops_sweep_and_same_command_continues(ck: Callable[..., Any], log: Path) -> None:
    """The toy's performance test says 10 s, so that a limit of 1 s leaves room for no run; each earlier duration is known."""
    sweep(ck, "--over.batch_size=1")
    found = sweep(ck, "--over.batch_size=1,4", "--time_limit=1")
    assert (found["state"], found["found"], found["made"], found["left"]) == ("time limit", 1, 0, 1)
    found = sweep(ck, "--over.batch_size=1,4")
    assert (found["state"], found["left"]) == ("complete", 0)


def test_run_over_time_limit_is_ended(ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_HANGS", "4")
    found = sweep(ck, "--over.batch_size=1,4", "--run_limit=3")
    assert found["rows"][1]["why"] == "failed 2 times: the run was ended after its limit of 3 s"


def test_dry_run_lists_cells_time_and_downloads_without_changes(ck: Callable[..., Any], log: Path, ck_home: Path) -> None:
    sweep(ck, "--over.batch_size=1")
    found = sweep(ck, "--over.batch_size=1,4", "--repetitions=2", "--dry-run")
    assert [row["done"] for row in found["cells"]] == [1, 0]
    assert found["runs"] == 3
    assert found["seconds"] >= 10
    assert found["downloads"] == []
    assert len(made_runs(log)) == 1
    assert len(find(Repositories(), "campaign")) == 1


def test_dry_run_names_what_the_sweep_downloads(ck: Callable[..., Any], log: Path, server: Server) -> None:
    content = b"toy-large"
    url = server.give("/large.txt", whole(content))
    step = {"download": {"url": url, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}}
    model = find(Repositories(), "package", "toy-plain")[0].meta()["model"]
    meta = {"tags": ["model", "large"], "file": "large.txt", "install": [step], "model": model}
    create_entry(Repositories().writable(), "package", "toy-large", meta)
    words = ("--over.model=plain,large", "--over.threads=1,2")
    for cluster in ((), ("--cluster=local",)):
        found = sweep(ck, *words, "--dry-run", *cluster)
        assert found["downloads"] == [{"url": url, "size": len(content)}]
    assert server.requests == []
    assert sweep(ck, *words)["made"] == 4
    assert [path for path, _ in server.requests] == ["/large.txt"]
    assert sweep(ck, *words, "--dry-run")["downloads"] == []


def _each_machine(repetitions: int = 1) -> Campaign:
    """A campaign in which each machine runs every cell: here the two of the toy's batch sizes."""
    program = find(Repositories(), "program", "toy-bench")[0]
    matrix = Matrix({}, {"batch_size": (1, 4)})
    return open_campaign(Session(), Definition(program.uid, matrix, repetitions, each_machine=True))


def test_runs_of_absent_machine_do_not_count_for_others(ck: Callable[..., Any], log: Path) -> None:
    sweep(ck, "--over.batch_size=1,4")
    session, campaign = Session(), _each_machine()
    planned = plan_cells(session, find(Repositories(), "program", "toy-bench")[0], campaign.cells())
    queue = begin(campaign, Limits(), planned, Recorded(session), ("one", "two"), elsewhere=True)
    assert queue.counts() == (0, 4)


def test_runs_are_counted_for_each_machine() -> None:
    campaign = _each_machine(repetitions=2)
    first, second = (cell.key for cell in campaign.cells())
    campaign.journal.add(
        [
            *(Event(RUN, first, machine=name, repetition=number) for name in ("one", "two") for number in (1, 2)),
            Event(RUN, second, machine="one", repetition=1),
            Event(FAILED, second, machine="two", why="it broke"),
            Event(DROPPED, second, machine="two", why="failed 2 times"),
        ]
    )
    assert counts(campaign) == {"cells": 2, "runs": 5, "left": 1}
    why = {(row.cell.key, row.machine): row.why for row in results(Session(), campaign)}
    assert why == {(first, "one"): "", (first, "two"): "", (second, "one"): "", (second, "two"): "failed 2 times: it broke"}


def test_lock_can_be_opened_by_every_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_MEASUREMENT_LOCK", str(tmp_path / "lock"))
    before = os.umask(0o077)
    try:
        with measuring():
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_different_definition_with_same_name_is_refused(ck: Callable[..., Any], log: Path) -> None:
    sweep(ck, "--over.batch_size=1", "--name=mine")
    done = ck(*SWEEP, "--over.batch_size=1,4", "--name=mine")
    assert done.code == 4
    assert "campaign:mine already exists" in done.json["error"]


def test_show_and_ls_print_cells_and_runs(ck: Callable[..., Any], log: Path) -> None:
    found = sweep(ck, "--over.batch_size=1,4", "--name=mine")
    shown = ck("show", "campaign:mine", "--out=json").json
    assert shown["rows"] == found["rows"]
    text = ck("show", "campaign:mine").out
    assert "14 samples/s" in text
    assert "Pareto front" in text
    assert [row["cells"] for row in ck("ls", "campaign", "--out=json").json["lst"]] == [2]
    assert "batch_size" in ck("ls", "campaign").out


def _start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ck_repo", *SWEEP, *words]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_sweep_continues(
    number: signal.Signals, ck: Callable[..., Any], log: Path, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in its second run: the first is not repeated, the second is repeated, nothing is counted twice."""
    words = ("--over.batch_size=1,4,8", "--repetitions=2", "--name=mine")
    gate = ck_home / "gate"
    sweep(ck, "--over.batch_size=1", "--name=first")
    monkeypatch.setenv("TOY_WAITS_FOR", str(gate))
    process = _start(*words)
    _wait_for(lambda: len(made_runs(log)) == 2, process)
    if number == signal.SIGINT:  # a second process is refused meanwhile
        done = ck(*SWEEP, *words)
        assert (done.code, "by another process" in done.json["error"]) == (4, True)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    gate.touch()
    found = sweep(ck, *words)
    assert (found["found"], found["made"], found["left"]) == (1, 5, 0)
    assert len(experiments()) == 6
    assert [len(row["experiments"]) for row in found["rows"]] == [2, 2, 2]
    assert not list((Path(os.environ["CK_REPOS"]) / "local" / "experiment").glob(".run-*"))


def test_two_campaigns_measure_one_after_the_other(
    ck: Callable[..., Any], log: Path, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ck_home / "gate"
    monkeypatch.setenv("TOY_WAITS_FOR", str(gate))
    first = _start("--over.batch_size=1")
    _wait_for(lambda: len(made_runs(log)) == 1, first)
    second = _start("--over.batch_size=4")
    assert second.stderr is not None
    assert any("another campaign is measuring" in line for line in second.stderr)
    assert len(made_runs(log)) == 1
    gate.touch()
    assert first.wait(PATIENCE) == second.wait(PATIENCE) == 0
    assert len(made_runs(log)) == 2
    first.communicate()
    second.communicate()

"""Which recorded runs of other machines count: those whose machine still has, or would make, the same venv."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bare_venv import put_package

from ck_repo.campaign.campaign import Campaign, open_campaign
from ck_repo.campaign.definition import Definition
from ck_repo.campaign.matrix import Matrix
from ck_repo.campaign.recorded import Recorded
from ck_repo.campaign.venv_packages import Packages, packages_of
from ck_repo.environment.lockfile import Lock, LockedPackage, lock_of_experiment
from ck_repo.run.options import RunOptions
from ck_repo.run.prepare import prepare
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find

SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust", "--over.batch_size=1")


class Elsewhere:
    """Two runs of a campaign by a machine that had version 1.0 of a package in the first, and 2.0 in the second.

    Attributes
    ----------
    uids
        Of the runs.
    """

    def __init__(self, ck: Callable[..., Any], program: Entry, machine: str, *, same_hardware: bool) -> None:
        self._program, self._venv = program, program.path.parents[1] / "venv/mlperf-inference/venv"
        self.uids: list[str] = []
        for number, version in enumerate(("1.0", "2.0")):
            put_package(self._venv, "thing", version)
            done = ck(*SWEEP)
            assert done.json["made"] == 1, done.err
            row = done.json["rows"][0]["experiments"][0]
            self.uids.append(row["uid"])
            made_by(Path(row["path"]), machine, same_hardware=same_hardware, recorded=f"2026-01-02T03:04:0{number}Z")
        self._campaign = done.json["campaign"]["data_uid"]
        self.machine = machine

    def counted(self, recorded: Recorded) -> list[str]:
        """The runs that the campaign does not repeat."""
        plan = prepare(Session(trust=True), self._program, RunOptions(batch_size=1))
        return [entry.uid for entry, _ in recorded.like(plan, campaign=self._campaign)]

    def lock(self, version: str) -> Lock:
        """The lock of a run with this version."""
        entry = find(Repositories(), "experiment", self.uids[0])[0]
        lock = lock_of_experiment(entry.path, entry.meta())
        return replace(lock, packages={"thing": LockedPackage(version)})

    def here(self, version: str) -> None:
        """Give this machine another version."""
        put_package(self._venv, "thing", version)


def made_by(experiment: Path, machine: str, *, same_hardware: bool = False, campaign: str = "", recorded: str = "") -> None:
    """Let a machine have made an experiment, for a campaign and at a time if they are given."""
    path = experiment / ".cm/meta.json"
    meta = json.loads(path.read_text())
    meta["campaign"] |= {"machine": machine} | ({"uid": campaign} if campaign else {})
    meta["recorded"] = recorded or meta["recorded"]
    if not same_hardware:
        meta["platform"]["cpu"] = "another one"
    path.write_text(json.dumps(meta))


@pytest.fixture(params=[False, True], ids=["other hardware", "same hardware"])
def elsewhere(request: pytest.FixtureRequest, ck: Callable[..., Any], program: Entry) -> Elsewhere:
    """Runs of another machine; this one has another version of their package."""
    found = Elsewhere(ck, program, "board", same_hardware=request.param)
    found.here("3.0")
    return found


def test_runs_count_by_the_campaigns_lock(elsewhere: Elsewhere) -> None:
    first, second = elsewhere.uids
    assert elsewhere.counted(Recorded(Session(), elsewhere.lock("1.0"))) == [first]
    assert elsewhere.counted(Recorded(Session(), elsewhere.lock("2.0"))) == [second]
    assert elsewhere.counted(Recorded(Session(), elsewhere.lock("3.0"))) == []


def test_runs_count_by_what_their_machine_reports(elsewhere: Elsewhere) -> None:
    first, second = elsewhere.uids
    one = packages_of(elsewhere.lock("1.0"))

    def counted(found: Packages | None) -> list[str]:
        return elsewhere.counted(Recorded(Session(), there={elsewhere.machine: {"": found}}))

    assert counted(one) == [first]
    assert counted(replace(one, versions={"thing": "2.0", "more": "1"})) == [second]
    assert counted(replace(one, versions={"thing": "3.0"})) == []
    assert counted(replace(one, python="3.1.4")) == []
    assert counted(None) == []


def test_absent_machine_has_what_it_had_last(elsewhere: Elsewhere) -> None:
    assert elsewhere.counted(Recorded(Session())) == elsewhere.uids[1:]


def _foreseen(ck: Callable[..., Any], *words: str) -> Any:
    done = ck("sweep", "program:toy-bench", "--trust", "--over.batch_size=1,4", "--repetitions=2", "--dry-run", *words)
    assert done.code == 0, done.err
    return done


def _campaign(program: Entry, *, each_machine: bool) -> Campaign:
    matrix = Matrix({}, {"batch_size": (1, 4)})
    return open_campaign(Session(), Definition(program.uid, matrix, 2, each_machine=each_machine))


def test_dry_run_counts_runs_of_the_cluster(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    """No machine is asked: there are not even certificates."""
    run = ck(*SWEEP).json["rows"][0]["experiments"][0]
    made_by(Path(run["path"]), "board", campaign=_campaign(program, each_machine=False).entry.uid)
    found = _foreseen(ck, "--cluster=local", "--out=json").json
    assert ([row["done"] for row in found["cells"]], found["runs"]) == ([1, 0], 3)
    assert _foreseen(ck, "--out=json").json["runs"] == 4  # without a cluster, runs of other machines do not count
    lines = _foreseen(ck, "--cluster=local").out.splitlines()
    assert lines[0] == "2 cells, 2 repetitions: 3 runs to make"
    assert "on one machine" in lines[3]
    assert lines[4] == "downloads of a machine that has what this one has: none"


def test_dry_run_counts_runs_on_each_machine(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    run = ck(*SWEEP).json["rows"][0]["experiments"][0]
    made_by(Path(run["path"]), "board", campaign=_campaign(program, each_machine=True).entry.uid)
    words = ("--cluster=local", "--each=machine")
    found = _foreseen(ck, *words, "--out=json").json
    assert (found["runs"], found["runs_on"]) == (4, {"board": 3})
    assert [row["done_on"] for row in found["cells"]] == [{"board": 1}, {}]
    lines = _foreseen(ck, *words).out.splitlines()
    assert lines[0] == "2 cells, 2 repetitions: 4 runs to make on each machine, but 3 on board"
    assert lines[1] == "  batch_size 1  (1 of 2 recorded on board)"
    assert "on each machine" in lines[3]

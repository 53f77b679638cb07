"""Accuracy runs in shards: failed ones are repeated, and the experiment is that of one run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from campaign_lab import WAIT, Lab, await_workers, until
from toy_benchmark import made_runs

from ck_repo.campaign.remote import answer_remote
from ck_repo.resolve.component import read_component
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find

ROOT = Path(__file__).parents[3]
RUN = ("run", "program:toy-bench", "--trust", "--batch_size=4", "--mode=accuracy", "--out=json")


@pytest.fixture
def failing(ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says which part of the toy fails."""
    monkeypatch.setenv("TOY_PART_FAILS", str(ck_home / "failing"))
    return ck_home / "failing"


def experiment() -> Entry:
    found = find(Repositories(), "experiment")
    assert len(found) == 1
    return found[0]


def test_failed_shard_is_repeated(ck: Callable[..., Any], program: Entry, log: Path, failing: Path) -> None:
    failing.write_text("1")
    done = ck(*RUN, "--shards=3")
    assert done.code == 0, done.err
    assert "shard 2 of 3 failed and is repeated: the harness ended with exit status 1" in done.err
    assert done.json["results"]["accuracy"] == {"mAP": 0.5, "images": 3}
    assert len(made_runs(log)) == 5
    shards = experiment().meta()["shards"]
    assert [(each["index"], each["tries"]) for each in shards] == [(0, 1), (1, 2), (2, 1)]
    assert not {"part", "answers"} & json.loads((experiment().path / "spec.json").read_text()).keys()
    assert not (experiment().path / "shards").exists()


def test_run_fails_if_shard_fails_repeatedly(ck: Callable[..., Any], program: Entry, log: Path, failing: Path) -> None:
    failing.write_text("always")
    done = ck(*RUN, "--shards=2")
    assert done.code == 7
    assert "this part does not work" in done.err
    assert find(Repositories(), "experiment") == []


def test_machines_answer_shards_and_repeat_failed_one(
    ck: Callable[..., Any], program: Entry, log: Path, failing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    assert ck("create", "cluster").code == 0
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    monkeypatch.setenv("CK_MACHINE", "mine")
    failing.write_text("1")
    done = ck(*RUN, "--shards=2", "--cluster=local")
    assert done.code == 0, done.err
    assert "mine: shard 2 of 2 failed and is repeated" in done.err
    assert done.json["results"]["accuracy"] == {"mAP": 0.5, "images": 2}
    shards = experiment().meta()["shards"]
    assert [(each["index"], each["machine"], each["tries"]) for each in shards] == [(0, "mine", 1), (1, "mine", 2)]


@pytest.mark.slow
def test_shard_of_killed_worker_is_answered_by_another_machine(log: Path, lab: Lab, ck_home: Path) -> None:
    doomed = lab.worker("doomed", TOY_WAITS_FOR=str(ck_home / "gate"))
    lab.worker("other")
    await_workers(lab, "doomed", "other")
    process = lab.begin(*RUN, "--shards=machines")
    until(lambda: len(made_runs(log)) == 2, process)  # each machine has one
    lab.stop(doomed)
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert b"doomed: shard" in err
    shards = experiment().meta()["shards"]
    assert [each["machine"] for each in shards] == ["other", "other"]
    assert sorted(each["tries"] for each in shards) == [1, 2]


@pytest.mark.slow
def test_finished_shards_are_kept_while_all_machines_are_away(log: Path, lab: Lab, ck_home: Path) -> None:
    """`quick` answers one of the first two shards and begins the third; then it dies, as does the machine with the other."""
    quick, slow = lab.worker("quick"), lab.worker("slow", TOY_WAITS_FOR=str(ck_home / "gate"))
    await_workers(lab, "quick", "slow")
    process = lab.begin(*RUN, "--shards=3")
    until(lambda: any(row.endswith("part 2") for row in made_runs(log)), process)
    lab.stop(quick, slow)
    await_workers(lab)
    lab.worker("new")
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    parts = [row.rpartition(" ")[2] for row in made_runs(log) if " part " in row]
    assert sorted((parts.count("0"), parts.count("1"))) == [1, 2]
    shards = experiment().meta()["shards"]
    assert {each["machine"] for each in shards} == {"quick", "new"}


def test_machine_with_other_model_answers_no_shard(program: Entry) -> None:
    task = {
        "program": program.uid,
        "digest": read_component(program).digest,
        "options": {"mode": "accuracy"},
        "contents": {"weights": "0" * 64},
        "index": 0,
        "count": 1,
        "trust": True,
    }
    answer = answer_remote(task)
    assert str(answer["error"]).endswith("as weights, which differs from that of this run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--shards=0",), "--shards=0 is not a number from 1 to 1000, or `machines`"),
        (("--shards=machines",), "--shards=machines needs machines"),
        (("--cluster=local",), "--cluster= of `ck run` is for the shards"),
        (("--shards=2", "--mode=performance"), "a performance run, which is never divided"),
        (("--shards=2", "--official", "--cluster=local"), "not on several machines"),
    ],
)
def test_invalid_options_are_refused(ck: Callable[..., Any], program: Entry, words: tuple[str, ...], message: str) -> None:
    done = ck(*RUN[:-1], *words)
    assert done.code == 2
    assert message in done.err

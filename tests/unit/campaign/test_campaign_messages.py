"""Messages between a command and its workers are checked where they arrive; a worker finds a run that it made before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import made_runs

from ck_repo.campaign.messages import (
    UNFIT,
    Failure,
    PartFile,
    PartMade,
    RunMade,
    RunTask,
    VenvSource,
    read_answer,
    read_message,
)
from ck_repo.campaign.remote import run_remote
from ck_repo.campaign.settling import Settling
from ck_repo.contract.record import write
from ck_repo.errors import ConfigError
from ck_repo.resolve.component import read_component
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


def task_of(program: Entry, **more: Any) -> RunTask:
    names = {"uid": "c" * 16, "alias": "mine"}
    given = {"digest": read_component(program).digest, "options": {"batch_size": 4}, "cell": "abc", "repetition": 1, **more}
    return RunTask(program.uid, campaign=names, trust=True, settling=Settling(seconds=0.0), **given)


@pytest.mark.parametrize(
    "message",
    [
        RunTask("p", "d", {"mode": "both"}, "c", 1, {"uid": "u"}, True, Settling(0.2, 3.0), 1.5, VenvSource("lock", "f" * 64)),
        RunMade("m", 1.0, "u", b"\0\1", "s"),
        PartMade("m", 1.0, "n", {"a.txt": PartFile(3, "s")}),
        Failure("m", "it broke", kind=UNFIT),
    ],
)
def test_message_arrives_as_it_was_sent(message: object) -> None:
    assert read_message(type(message), write(message)) == message


def test_error_names_missing_key() -> None:
    content = write(RunMade("m", 1.0, "u", b"", "s"))
    del content["uid"]
    with pytest.raises(ConfigError, match="RunMade: uid is None, not a text"):
        read_answer(RunMade, content)


def test_worker_answers_invalid_task_with_error(program: Entry) -> None:
    task = write(task_of(program))
    task["repetition"] = "first"
    answer = read_answer(RunMade, run_remote(task))
    assert isinstance(answer, Failure)
    assert "RunTask: repetition is 'first', not an integer" in answer.error


def test_worker_returns_earlier_run_and_reads_no_other_experiment(
    program: Entry, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = task_of(program)
    made = read_answer(RunMade, run_remote(write(task)))
    assert isinstance(made, RunMade), made
    create_entry(Repositories().writable(), "experiment", "odd", {"tags": ["mlperf", "campaign"], "results": 5})
    again = read_answer(RunMade, run_remote(write(task)))
    assert isinstance(again, RunMade), again
    assert again.uid == made.uid
    assert len(made_runs(log)) == 1
    assert "cannot be read" not in capsys.readouterr().err
    other = read_answer(RunMade, run_remote(write(task_of(program, repetition=2))))
    assert isinstance(other, RunMade), other
    assert other.uid != made.uid
    assert len(made_runs(log)) == 2

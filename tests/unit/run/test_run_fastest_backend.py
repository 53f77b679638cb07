"""``--backend=auto``, on a benchmark whose backends have known speeds and accuracies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import add_backend, toy_benchmark

from ck_repo.store.entry import Entry

RUN = ("run", "program:toy-bench", "--trust", "--backend=auto")


@pytest.fixture
def program(ck_home: Path) -> Entry:
    return toy_benchmark()


def backend_of(done: Any) -> str:
    assert done.code == 0, done.err
    return str(json.loads(done.out)["results"]["backend"])


def test_fastest_backend_of_the_same_accuracy_runs(ck: Callable[..., Any], program: Entry) -> None:
    for name in ("quick", "wrong", "broken"):
        add_backend(program, name)
    done = ck(*RUN, "--out=json")
    assert backend_of(done) == "quick"
    assert "backend wrong is excluded: its mAP differs by more than 0.001 from that of toy" in done.err
    assert "backend broken is excluded" in done.err
    assert "backend quick: the fastest, 3.00 times the speed of toy" in done.err
    experiments = json.loads(ck("ls", "experiment", "--out=json").out)["lst"]
    assert len(experiments) == 1  # measurements leave no experiment


def test_default_runs_unless_another_is_clearly_faster(ck: Callable[..., Any], program: Entry) -> None:
    add_backend(program, "similar")
    done = ck(*RUN, "--out=json")
    assert backend_of(done) == "toy"
    assert "backend toy: no other one is at least 1.1 times as fast" in done.err


def test_choice_is_kept_until_something_changes(ck: Callable[..., Any], program: Entry) -> None:
    add_backend(program, "quick")
    assert "measuring 2 backends: toy, quick" in ck(*RUN).err
    again = ck(*RUN, "--out=json")
    assert backend_of(again) == "quick"
    assert "backend quick: chosen by an earlier measurement" in again.err
    assert "measuring 2 backends" in ck(*RUN, "--retune").err
    assert "measuring 2 backends" in ck(*RUN, "--threads=2").err
    add_backend(program, "slow")
    assert "measuring 3 backends: toy, quick, slow" in ck(*RUN).err


@pytest.mark.parametrize("scenario", ["singlestream", "server"])
def test_other_scenarios_have_their_own_choice(ck: Callable[..., Any], program: Entry, scenario: str) -> None:
    add_backend(program, "quick")
    assert ck(*RUN).code == 0
    done = ck(*RUN, f"--scenario={scenario}", "--target-qps=5", "--target-latency=100", "--out=json")
    assert "measuring 2 backends" in done.err
    assert backend_of(done) == "quick"


def test_model_with_a_single_backend_is_not_measured(ck: Callable[..., Any], program: Entry) -> None:
    done = ck(*RUN, "--out=json")
    assert backend_of(done) == "toy"
    assert "no other one runs this model here" in done.err


def test_plan_names_the_candidates_and_measures_nothing(ck: Callable[..., Any], program: Entry) -> None:
    add_backend(program, "quick")
    assert "the run measures toy, quick first; this is the plan for toy" in ck(*RUN, "--dry-run").out
    assert ck(*RUN).code == 0
    assert "backend quick: chosen by an earlier measurement" in ck(*RUN, "--dry-run").out


def test_failing_default_backend_fails_the_run(ck: Callable[..., Any], program: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    add_backend(program, "quick")
    monkeypatch.setenv("TOY_FAILS", "1")
    assert ck(*RUN).code == 7


def test_damaged_choice_is_measured_again(ck: Callable[..., Any], ck_home: Path, program: Entry) -> None:
    add_backend(program, "quick")
    assert ck(*RUN).code == 0
    (kept,) = (ck_home / "CK-TOOLS" / ".cache" / "backends").iterdir()
    kept.write_text("{")
    done = ck(*RUN)
    assert "the kept backend is ignored and measured again" in done.err
    assert json.loads(kept.read_text())["backend"] == "quick"


def test_backend_options_and_other_commands_need_a_named_backend(ck: Callable[..., Any], program: Entry) -> None:
    done = ck(*RUN, "--backend.threads=2")
    assert done.code == 2
    assert "--backend.threads and --backend=auto exclude each other" in done.err
    done = ck("audit", "program:toy-bench", "--trust", "--backend=auto")
    assert done.code == 2
    assert "--backend=auto is for `ck run`" in done.err

"""`ck run --tuned` on the toy benchmark: which settings a run gets, and when they do not hold any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import add_backend, made_runs, switch

from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load
from ck_repo.store.writing import update_entry

pytest.importorskip("optuna")
pytestmark = pytest.mark.usefixtures("program", "log")
TUNE = ("tune", "program:toy-bench", "--goal=throughput", "--out=json", "--trust", "--time=1", "--repetitions=2")
RUN = ("run", "program:toy-bench", "--trust", "--tuned", "--out=json")
THREADS = ("--over.threads=1,3", "--batch-size=1", "--sessions=1")
FIXED = ("--threads=1", "--batch-size=1", "--sessions=1")


@pytest.fixture
def quick(program: Entry) -> None:
    """A backend with an option that makes it faster, and one that does nothing."""
    add_backend(program, "quick", options={"boost": switch(search=True), "arena": switch(default="yes")})


def answer(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json
    return found


def recorded(found: dict[str, Any]) -> dict[str, Any]:
    """The options of a recorded run."""
    options: dict[str, Any] = load(Repositories(), "experiment", found["experiment"]["uid"]).meta()["options"]
    return options


def test_settings_of_other_machine_or_model_are_not_used(ck: Callable[..., Any]) -> None:
    assert "there are no tuned settings for program:toy-bench, offline" in ck(*RUN).json["error"]
    found = answer(ck(*TUNE, *THREADS))
    assert ck(*RUN).code == 0
    assert ck(*RUN, "--model=fast").code == ck(*RUN, "--scenario=server").code == 16
    entry = load(Repositories(), "campaign", found["campaign"]["data_uoa"])
    update_entry(entry, {"definition": {"machine": {"cpu": "another"}}})
    assert ck(*RUN).code == 16


def test_search_of_earlier_version_is_reported(ck: Callable[..., Any]) -> None:
    found = answer(ck(*TUNE, *THREADS))
    name = found["campaign"]["data_uoa"]
    assert "`ck run --tuned` uses them" in ck("show", f"campaign:{name}").out
    update_entry(load(Repositories(), "campaign", name), {"settings": None})
    done = ck(*RUN)
    assert done.code == 16
    assert f"campaign:{name} is skipped: an earlier version of ck recorded it" in done.err
    assert "recorded by an earlier version of ck: `ck run --tuned` does not use it" in ck("show", f"campaign:{name}").out


@pytest.mark.usefixtures("quick")
def test_run_gets_backend_of_search_with_its_options(ck: Callable[..., Any]) -> None:
    answer(ck(*TUNE, "--backend=quick", *FIXED))
    found = answer(ck(*RUN))
    assert found["results"]["backend"] == "quick"
    assert recorded(found)["backend_options"] == {"boost": "yes"}
    assert answer(ck(*RUN, "--backend=quick"))["results"]["backend"] == "quick"
    assert answer(ck(*RUN, "--backend=auto"))["results"]["backend"] == "quick"


@pytest.mark.usefixtures("quick")
def test_settings_of_another_backend_are_not_used(ck: Callable[..., Any]) -> None:
    answer(ck(*TUNE, *FIXED))
    done = ck(*RUN, "--backend=toy")
    assert done.code == 16
    assert "on this machine, with the backend toy" in done.json["error"]
    assert "is not used: its settings are for backend quick" in done.err


@pytest.mark.usefixtures("quick")
def test_given_options_of_backend_leave_the_others_to_the_search(ck: Callable[..., Any]) -> None:
    answer(ck(*TUNE, "--backend=quick", *FIXED))
    assert recorded(answer(ck(*RUN, "--backend.arena=no")))["backend_options"] == {"boost": "yes", "arena": "no"}
    assert recorded(answer(ck(*RUN, "--backend.boost=no")))["backend_options"] == {"boost": "no"}


@pytest.mark.usefixtures("quick")
def test_run_gets_options_that_were_fixed_in_search(ck: Callable[..., Any]) -> None:
    answer(ck(*TUNE, "--backend=quick", "--backend.arena=no", "--over.threads=1,3", "--batch-size=2", "--sessions=1"))
    found = answer(ck(*RUN))
    assert recorded(found)["backend_options"] == {"boost": "yes", "arena": "no"}
    assert (found["results"]["threads"], found["results"]["batch_size"]) == (3, 2)
    assert answer(ck(*RUN, "--threads=2"))["results"]["threads"] == 2


@pytest.mark.usefixtures("quick")
def test_default_choice_with_fixed_options_is_used_if_it_is_the_fastest(ck: Callable[..., Any]) -> None:
    found = answer(ck(*TUNE, "--backend=quick", "--backend.boost=yes", *FIXED))
    assert found["verdicts"]["throughput"]["beats_default"] is False
    done = ck(*RUN)
    assert "found nothing faster than its default choice, which is used" in done.err
    assert recorded(answer(done))["backend_options"] == {"boost": "yes"}


def test_changed_software_makes_settings_and_search_outdated(ck: Callable[..., Any], program: Entry, log: Path) -> None:
    """The program is changed, as by an update: three threads are not faster any more."""
    assert answer(ck(*TUNE, *THREADS))["verdicts"]["throughput"]["values"] == {"threads": 3}
    assert answer(ck(*RUN))["results"]["threads"] == 3
    harness = program.path / "toy_harness" / "__main__.py"
    harness.write_text(harness.read_text().replace("10.0 * threads", "10.0 / threads"))
    done = ck(*RUN)
    assert done.code == 16
    assert "the settings of campaign:tune-" in done.err
    assert "are not used: toy-bench has changed" in done.err
    before = len(made_runs(log))
    again = answer(ck(*TUNE, *THREADS))
    assert len(made_runs(log)) > before
    assert again["verdicts"]["throughput"]["beats_default"] is False
    assert again["verdicts"]["throughput"]["default"] == pytest.approx([11.0, 11.0])
    assert answer(ck(*RUN))["results"]["threads"] == 1


def test_changed_model_makes_settings_outdated(ck: Callable[..., Any]) -> None:
    answer(ck(*TUNE, *THREADS))
    update_entry(load(Repositories(), "package", "toy-plain"), {"version": "2"})
    done = ck(*RUN)
    assert done.code == 16
    assert "are not used: toy-plain has changed" in done.err


def test_search_continues_with_other_values_of_an_option(ck: Callable[..., Any], program: Entry) -> None:
    """A newer backend has more values to search; Optuna refuses them in the old study."""
    for values in (["a", "b"], ["a", "b", "c"]):
        add_backend(program, "toy", options={"kind": {"help": "of toy", "values": values, "default": "a", "search": values}})
        found = answer(ck(*TUNE, *FIXED, "--name=mine"))
        assert len(found["trials"]) == len(values)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_search_on_another_machine_measures_anew(ck: Callable[..., Any], log: Path) -> None:
    """With one core this is another machine that shares the repositories: each has a search and settings of its own."""

    def on_one_core(*words: str) -> dict[str, Any]:
        core = min(os.sched_getaffinity(0))
        made = subprocess.run(
            [sys.executable, "-m", "ck_repo", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        found: dict[str, Any] = json.loads(made.stdout)
        return found

    here = answer(ck(*TUNE, *THREADS))
    before = len(made_runs(log))
    assert "there are no tuned settings" in on_one_core(*RUN)["error"]
    there = on_one_core(*TUNE, *THREADS)
    assert there["campaign"]["data_uid"] != here["campaign"]["data_uid"]
    assert len(made_runs(log)) == 2 * before
    assert on_one_core(*RUN)["results"]["threads"] == answer(ck(*RUN))["results"]["threads"] == 3
    answer(ck(*TUNE, *THREADS, "--name=mine"))
    refused = on_one_core(*TUNE, *THREADS, "--name=mine")["error"]
    assert "campaign:mine already exists with another definition" in refused
    assert "of another machine, or of other cores or memory" in refused

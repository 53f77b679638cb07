"""A search for settings by Optuna on the toy benchmark: what it finds, keeps, refuses and continues."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import add_backend, made_runs, relate_models, switch

from ck_repo.campaign.accuracy import Accuracy
from ck_repo.campaign.goal import GOALS, Keep, read_goals, read_keep
from ck_repo.campaign.measure import Measure
from ck_repo.campaign.settling import Settling
from ck_repo.campaign.space import Space
from ck_repo.campaign.study import Study
from ck_repo.errors import UsageError
from ck_repo.run.options import RunOptions
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load
from ck_repo.store.writing import update_entry

pytest.importorskip("optuna")
pytestmark = pytest.mark.usefixtures("program")
TUNE = ("tune", "program:toy-bench", "--out=json", "--trust", "--time=1")
FIXED = ("--batch-size=1", "--sessions=1", "--repetitions=2")
SPACE = ("--over.threads=1,2,3", "--over.batch_size=1,2,8", "--sessions=1")


def tune(ck: Callable[..., Any], *words: str) -> dict[str, Any]:
    done = ck(*TUNE, *words)
    assert done.code == 0, done.err
    answer: dict[str, Any] = done.json
    return answer


def test_fastest_settings_are_found_confirmed_and_used(ck: Callable[..., Any], log: Path) -> None:
    """The toy is fastest with 3 threads and batches of 8: 54 samples/s; its default choice makes 11."""
    found = tune(ck, "--goal=throughput", *SPACE, "--trials=10", "--repetitions=2")
    values = found["verdicts"]["throughput"]["values"]
    assert values == {"threads": 3, "batch_size": 8}
    assert found["verdicts"]["throughput"]["winner"] == pytest.approx([54.0, 54.0])
    assert found["verdicts"]["throughput"]["default"] == pytest.approx([11.0, 11.0])
    assert found["verdicts"]["throughput"]["beats_default"] is True
    assert found["verdicts"]["throughput"]["interval"][0] > 1
    assert len(found["trials"]) == 9  # every combination
    done = ck("run", "program:toy-bench", "--trust", "--tuned", "--out=json")
    assert {name: done.json["results"][name] for name in values} == values
    assert "settings of campaign:tune-" in done.err
    given = ck("run", "program:toy-bench", "--trust", "--tuned", "--threads=1", "--out=json")
    assert given.json["results"]["threads"] == 1
    assert given.json["results"]["batch_size"] == values["batch_size"]
    listed = ck("ls", "experiment", "--tags=-find-performance", "--out=json").json["lst"]
    assert len(listed) == 2  # the runs of the search are trials


def test_confirming_runs_take_turns(ck: Callable[..., Any], log: Path) -> None:
    found = tune(ck, "--goal=latency", "--over.threads=1,3", "--repetitions=4")
    assert found["verdicts"]["latency"]["values"] == {"threads": 3}
    assert [line.split()[2] for line in made_runs(log)[-8:]] == ["1", "3", "3", "1", "1", "3", "3", "1"]


def test_default_is_reported_and_used_if_it_is_the_fastest(ck: Callable[..., Any], log: Path) -> None:
    words = ("--goal=throughput", "--threads=2", "--batch-size=1", "--sessions=1", "--trials=1", "--repetitions=2")
    found = tune(ck, *words)
    assert found["verdicts"]["throughput"]["beats_default"] is False
    text = ck(*(word for word in TUNE if not word.startswith("--out")), *words).out
    assert "are NOT faster than the default choice" in text


@pytest.mark.parametrize(("loss", "model"), [("-1%", "plain"), ("-30%", "fast")])
def test_accuracy_limit_excludes_less_accurate_models(loss: str, model: str, ck: Callable[..., Any], log: Path) -> None:
    """The fast model is twice as fast and has 0.4 of 0.5 mAP."""
    words = ("--over.model=plain,fast", "--threads=1", "--batch-size=1", "--sessions=1", f"--keep.mAP={loss}")
    found = tune(ck, "--goal=throughput", *words, "--repetitions=2")
    assert len(found["trials"]) == 2
    assert found["verdicts"]["throughput"]["values"]["model"] == model
    assert found["verdicts"]["throughput"]["beats_default"] is (model == "fast")


def test_server_goal_is_highest_rate_within_latency_bound(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    """The toy answers within the bound up to its throughput: 33 queries/s with 3 threads."""
    assert ck("run", "program:toy-bench", "--trust").code == 0  # installs what is needed
    measure = Measure(Session(trust=True), program, {"uid": "0" * 16, "alias": "mine"}, Settling(seconds=0))
    found = measure.figure(GOALS["server"], RunOptions(threads=3, batch_size=1, sessions=1), 1.0)
    assert found.figure == pytest.approx(33.0, rel=0.03)
    assert found.record.results.scenario == "server"
    words = ("--over.threads=1,3", "--dry-run")
    assert tune(ck, "--goal=server", *words)["goals"] == ["server"]


def test_two_goals_give_front_and_settings_for_each(ck: Callable[..., Any], log: Path) -> None:
    found = tune(
        ck, "--goal=throughput,latency", "--over.threads=1,3", "--over.batch_size=1,4", "--sessions=1", "--repetitions=2"
    )
    assert len(found["trials"]) == 4  # every combination, none of them twice
    assert {goal for row in found["trials"] for goal in row["figures"]} == {"throughput", "latency"}
    assert [row["values"] for row in found["front"]] == [{"threads": 3, "batch_size": 4}]
    assert {name: verdict["values"]["threads"] for name, verdict in found["verdicts"].items()} == {
        "throughput": 3,
        "latency": 3,
    }
    assert "front of throughput and latency" in ck("show", f"campaign:{found['campaign']['data_uoa']}").out
    for scenario in ("offline", "singlestream"):
        done = ck("run", "program:toy-bench", "--trust", "--tuned", f"--scenario={scenario}", "--out=json")
        assert done.json["results"]["threads"] == 3


def test_speed_and_accuracy_give_front_of_models(ck: Callable[..., Any], log: Path) -> None:
    """The fast model has less accuracy than is kept: it is on the front, and is not what `--tuned` uses."""
    words = ("--over.model=plain,fast", "--threads=1", "--batch-size=1", "--sessions=1", "--repetitions=2")
    found = tune(ck, "--goal=throughput,accuracy", *words)
    front = [(row["values"]["model"], row["figures"]["accuracy"], row["keeps_accuracy"]) for row in found["front"]]
    assert front == [("fast", 0.4, False), ("plain", 0.5, True)]
    assert list(found["verdicts"]) == ["throughput"]
    assert found["verdicts"]["throughput"]["values"]["model"] == "plain"


def a_study(folder: Path, space: Space, *goals: str, conditions: str = "here", accuracy: Accuracy | None = None) -> Study:
    """A study; the accuracy of the choice `same` is known and kept."""
    found = accuracy or Accuracy({"mAP": 0.495}, {"same": {"mAP": 0.5}})
    return Study(folder, [GOALS[name] for name in goals], space, 1, conditions, found)


def test_slow_trials_of_two_goals_are_stopped_early(tmp_path: Path) -> None:
    """A trial is stopped if it is slower than the median in both goals, and continues if it is better in one."""
    study = a_study(tmp_path, Space({"threads": (1, 2)}), "throughput", "latency")
    for number in range(8):
        trial, values = study.ask()
        assert not study.is_hopeless(trial, [10.0 + number, 20.0 - number])
        study.finished(trial, [10.0 + number, 20.0 - number], [], values, "same")
    assert study.is_hopeless(study.ask()[0], [11.0, 19.0])
    assert not study.is_hopeless(study.ask()[0], [11.0, 12.0])


@pytest.mark.parametrize(("goal", "slow", "fast"), [("throughput", 11.0, 16.0), ("latency", 16.0, 11.0)])
def test_slow_trials_of_one_goal_are_stopped_early(goal: str, slow: float, fast: float, tmp_path: Path) -> None:
    """After six trials one is stopped if its short run is worse than the median of theirs, 13.5; a faster one continues."""
    study = a_study(tmp_path, Space({"threads": tuple(range(1, 40))}), goal)
    for number in range(8):
        trial, values = study.ask()
        stopped = study.is_hopeless(trial, [10.0 + number])
        assert number >= 6 or not stopped
        study.finished(trial, [10.0 + number], [], values, "same")
    trial, _ = study.ask()
    assert study.is_hopeless(trial, [slow])
    study.pruned(trial)
    assert [row["state"] for row in study.rows()][-1] == "pruned"
    assert not study.is_hopeless(study.ask()[0], [fast])
    assert slow not in [row.figures[goal] for row in study.front()]


def test_no_combination_is_tried_twice(tmp_path: Path) -> None:
    space = Space({"threads": (1, 2, 3), "batch_size": (1,)}, {"toy": {"a": ("x", "y")}, "other": {"b": ("x", "y")}}, "toy")
    study = a_study(tmp_path, space, "throughput")
    tried: list[dict[str, Any]] = []
    while not study.exhausted:
        trial, values = study.ask()
        study.finished(trial, [1.0 + len(tried)], [], values, "same")
        tried.append(values)
    assert len(tried) == len({tuple(row.items()) for row in tried}) == space.size == len(list(space.points())) == 6
    assert [row["values"] for row in study.rows()] == tried
    assert [row.values for row in study.front()] == tried[-1:]
    assert set(study.importance()["throughput"]) == {"threads", "toy.a"}


def test_other_conditions_or_values_are_another_study(tmp_path: Path) -> None:
    """Optuna refuses other values of a setting in one study."""
    for conditions, threads in (("two cores", (1, 2)), ("four cores", (1, 2, 4))):
        study = a_study(tmp_path, Space({"threads": threads}), "throughput", conditions=conditions)
        assert study.done == 0
        trial, values = study.ask()
        study.finished(trial, [1.0], [], values, "same")
    assert a_study(tmp_path, Space({"threads": (1, 2)}), "throughput", conditions="two cores").done == 1


def test_accuracy_of_surpassed_trial_is_measured_when_it_matters(tmp_path: Path) -> None:
    """The fast choice surpassed the middle one, whose accuracy was not measured, until less loss was allowed."""
    accuracy = Accuracy({"mAP": 0.35}, {"fast": {"mAP": 0.4}})
    study = a_study(tmp_path, Space({"model": ("fast", "middle", "slow")}), "throughput", accuracy=accuracy)
    for choice, figure in (("fast", 30.0), ("middle", 20.0), ("slow", 10.0)):
        study.enqueue({"model": choice})
        trial, values = study.ask()
        study.finished(trial, [figure], [], values, choice)
    assert [row.values for row in study.front()] == [{"model": "fast"}]
    assert study.unmeasured() is None
    accuracy.minimum = {"mAP": 0.495}
    assert study.front() == []
    assert study.unmeasured() == {"model": "middle"}
    accuracy.known["middle"] = {"mAP": 0.5}
    assert study.unmeasured() is None
    assert [row.values for row in study.front()] == [{"model": "middle"}]
    assert [row["violation"] for row in study.rows()] == [pytest.approx(0.095), pytest.approx(-0.005), None]


def test_smaller_loss_rejects_earlier_winner(ck: Callable[..., Any], log: Path) -> None:
    """The fast model has 0.4 of 0.5 mAP."""
    words = ("--goal=throughput", "--over.model=plain,fast", "--over.threads=2,4", *FIXED)
    loose = tune(ck, *words, "--keep.mAP=-30%")
    assert loose["verdicts"]["throughput"]["values"] == {"model": "fast", "threads": 4}
    tight = tune(ck, *words, "--keep.mAP=-1%")
    assert tight["campaign"] == loose["campaign"]
    assert [row["figures"] for row in tight["trials"]] == [row["figures"] for row in loose["trials"]]  # not repeated
    assert tight["verdicts"]["throughput"]["values"] == {"model": "plain", "threads": 4}
    assert {row["values"]["model"] for row in tight["front"]} == {"plain"}
    used = ck("run", "program:toy-bench", "--trust", "--tuned", "--out=json").json["results"]
    assert (used["model"], used["threads"]) == ("toy-plain", 4)


def test_larger_loss_accepts_trials_that_were_too_inaccurate(ck: Callable[..., Any], log: Path) -> None:
    words = ("--goal=throughput", "--over.model=plain,fast", "--threads=1", *FIXED)
    tight = tune(ck, *words, "--keep.mAP=-1%")
    assert tight["verdicts"]["throughput"]["values"]["model"] == "plain"
    loose = tune(ck, *words, "--keep.mAP=-30%")
    assert [row["figures"] for row in loose["trials"]] == [row["figures"] for row in tight["trials"]]
    assert loose["verdicts"]["throughput"]["values"]["model"] == "fast"
    assert loose["verdicts"]["throughput"]["beats_default"] is True


def test_metric_that_was_not_measured_cannot_be_kept(ck: Callable[..., Any], log: Path) -> None:
    done = ck(*TUNE, "--goal=throughput", *SPACE, "--keep.AP50=-1%")
    assert "--keep.AP50: the accuracy run has no AP50" in done.json["error"]


def test_search_without_a_completed_trial_reports_why(
    ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = ck(*TUNE, "--goal=throughput", *SPACE, "--time_limit=0.000000001")
    assert done.code == 7
    assert done.json["error"].startswith("the time for trials was over before one had ended")
    monkeypatch.setenv("TOY_FAILS", "8")
    done = ck(*TUNE, "--goal=throughput", "--threads=1", "--over.batch_size=8", "--sessions=1")
    assert "no trial has a figure: 1 fail; the first that failed: " in done.json["error"]
    assert "the harness ended with exit status 1" in done.json["error"]


def test_accuracy_is_kept_relative_to_model_in_32_bits(ck: Callable[..., Any], log: Path) -> None:
    """The default choice is the 8-bit model, which has 0.4 of the 0.5 mAP of the same network in 32 bits."""
    relate_models()
    words = ("--goal=throughput", "--model=fast", "--threads=1", *FIXED)
    planned = tune(ck, *words, "--dry-run")
    assert planned["notes"] == [
        "accuracy is kept relative to the model package:toy-plain, which is that of the network in 32-bit floats"
    ]
    done = ck(*TUNE, *words)
    assert done.json["error"].startswith(
        "no trial keeps the accuracy: the minimum is mAP 0.495, relative to package:toy-plain, "
        "and the most accurate of 1 has mAP 0.4"
    )
    assert tune(ck, *words, "--keep.mAP=-30%")["verdicts"]["throughput"]["beats_default"] is False


def test_reference_is_reported_where_no_32_bit_model_is_known(ck: Callable[..., Any], log: Path) -> None:
    update_entry(load(Repositories(), "package", "toy-fast"), {"model": {"precision": "int8"}})
    planned = tune(ck, "--goal=throughput", "--model=fast", "--dry-run")
    assert planned["notes"] == [
        "accuracy is kept relative to the default choice: a model of its network in 32-bit floats is not on this machine"
    ]
    assert tune(ck, "--goal=throughput", "--dry-run")["notes"] == ["accuracy is kept relative to the default choice"]


def test_backends_and_precisions_are_searched_without_being_named(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    """The fast model on the quick backend with its option makes 132 samples/s, the default choice 11."""
    relate_models()
    add_backend(program, "quick", options={"boost": switch(search=True)})
    words = ("--goal=throughput", "--threads=1", *FIXED)
    planned = tune(ck, *words, "--dry-run")
    assert planned["space"] == {"model": "default, package:toy-fast", "backend": "toy, quick", "quick: boost": "no, yes"}
    assert planned["combinations"] == 6
    found = tune(ck, *words, "--keep.mAP=-30%")
    values = {"model": "package:toy-fast", "backend": "quick", "backend_options.boost": "yes"}
    assert found["verdicts"]["throughput"]["values"] == values
    assert found["trials"][0]["values"] == {"model": "", "backend": "toy"}  # the default choice
    used = ck("run", "program:toy-bench", "--trust", "--tuned", "--out=json").json["results"]
    assert (used["model"], used["backend"]) == ("toy-fast", "quick")
    assert tune(ck, *words, "--dry-run", "--backend=toy", "--model=plain")["space"] == {}
    assert tune(ck, *words, "--dry-run", "--backend=quick", "--backend.boost=yes", "--over.model=plain")["space"] == {
        "model": "plain"
    }


def test_backend_that_has_to_be_installed_is_not_searched(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    deps = {"torch": {"tags": ["lib", "python-package", "torch"]}}
    add_backend(program, "large", deps=deps)
    planned = tune(ck, "--goal=throughput", "--threads=1", *FIXED, "--dry-run")
    assert planned["space"] == {}
    assert planned["left_out"]["large"].startswith("it is not installed: torch")
    named = tune(ck, "--goal=throughput", "--threads=1", *FIXED, "--dry-run", "--over.backend=toy,large")
    assert named["space"] == {"backend": "toy, large"}


def test_options_of_one_backend_are_omitted_from_trials_of_others(ck: Callable[..., Any], log: Path, program: Entry) -> None:
    """One backend has the fixed option, another the searched one."""
    add_backend(program, "quick", options={"boost": switch(search=True)})
    add_backend(program, "toy", options={"depth": {"help": "how deep", "maximum": 8}})
    words = ("--over.backend=toy,quick", "--backend.depth=2", "--threads=1", *FIXED)
    found = tune(ck, "--goal=throughput", *words)
    assert {row["state"] for row in found["trials"]} == {"complete"}
    assert found["verdicts"]["throughput"]["values"] == {"backend": "quick", "backend_options.boost": "yes"}
    planned = tune(ck, "--goal=throughput", "--backend.depth=2", "--threads=1", *FIXED, "--dry-run")
    assert planned["left_out"] == {"quick": "the backend quick has no option 'depth'"}


def test_search_continues_without_repeating_trials(ck: Callable[..., Any], log: Path) -> None:
    first = tune(ck, "--goal=throughput", *SPACE, "--trials=4", "--repetitions=2")
    runs = len(made_runs(log))
    same = tune(ck, "--goal=throughput", *SPACE, "--trials=4", "--repetitions=2")
    assert len(made_runs(log)) == runs
    assert same["verdicts"] == first["verdicts"]
    more = tune(ck, "--goal=throughput", *SPACE, "--trials=6", "--repetitions=2")
    assert [row["figures"] for row in more["trials"][:4]] == [row["figures"] for row in first["trials"]]
    assert len(more["trials"]) == 6


def test_killed_search_repeats_unfinished_trial(
    ck: Callable[..., Any], log: Path, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*TUNE, "--goal=throughput", *SPACE, "--trials=3", "--repetitions=2")
    assert ck("run", "program:toy-bench", "--trust").code == 0  # installs what is needed
    gate = ck_home / "gate"
    monkeypatch.setenv("TOY_WAITS_FOR", str(gate))
    process = subprocess.Popen(
        [sys.executable, "-m", "ck_repo", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 120
    while len(made_runs(log)) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.communicate()
    gate.touch()
    found = tune(ck, *words[4:])
    assert sum(row["state"] == "complete" for row in found["trials"]) >= 1
    assert found["verdicts"]["throughput"]["beats_default"] is True


def test_failed_trials_are_counted_and_skipped(ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_FAILS", "8")
    found = tune(ck, "--goal=throughput", "--over.threads=2", "--over.batch_size=1,2,8", "--sessions=1", "--repetitions=2")
    assert found["verdicts"]["throughput"]["values"]["batch_size"] == 2
    assert sorted(row["state"] for row in found["trials"]) == ["complete", "complete", "fail"]


def test_model_that_does_not_exist_is_refused_at_once(ck: Callable[..., Any], log: Path) -> None:
    done = ck(*TUNE, "--goal=throughput", "--over.model=plain,fsat")
    assert done.code != 0
    assert "fsat" in done.json["error"]
    assert not made_runs(log)


def test_dry_run_lists_search_space(ck: Callable[..., Any], log: Path) -> None:
    found = tune(ck, "--goal=throughput", *SPACE, "--dry-run")
    assert found["space"]["threads"] == "1, 2, 3"
    assert found["combinations"] == 9
    assert made_runs(log) == []
    assert find(Repositories(), "campaign") == []


def test_dry_run_lists_declared_options_of_backend(ck: Callable[..., Any]) -> None:
    words = ("tune", "program:object-detection", "--goal=latency", "--dry-run", "--out=json", "--backend.arena=no")
    found = ck(*words).json
    assert found["space"]["onnxruntime: spinning"] == "yes, no"
    assert "onnxruntime: arena" not in found["space"]


def test_loss_is_absolute_or_relative() -> None:
    assert read_keep({}) == (Keep("mAP", 0.01, True),)
    assert read_keep({"mAP": "-0.005", "AP50": "0"}) == (Keep("mAP", 0.005, False), Keep("AP50", 0.0, False))
    assert Keep("mAP", 0.01, True).bound(0.5) == pytest.approx(0.495)
    for wrong in ({"mAP": "1%"}, {"mAP": "x"}, {"map": "-1%"}, {"mAP": "-200%"}, {"mAP": "-2"}):
        with pytest.raises(UsageError):
            read_keep(wrong)


@pytest.mark.parametrize(
    "text", ["speed", "throughput,throughput", "throughput,latency,server", "accuracy", ",", "accuracy,latency"]
)
def test_invalid_goal_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_goals(text)

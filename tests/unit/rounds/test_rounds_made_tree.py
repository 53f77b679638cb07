"""The tree that the tests generate has the files, keys and events of published ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trees
from loadgen_logs import Run, events
from trees import Submissions

from ck_repo.rounds.logs import read_summary

# a published submitter with the same results and tests as ours, and one with Server
PUBLISHED = {"SingleStream": "Lenovo", "MultiStream": "Lenovo", "Offline": "Lenovo", "Server": "Intel"}


def logged(path: Path) -> Iterator[str]:
    """The keys of a detail log in order, without LoadGen's comments."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(":::MLLOG"):
            key = json.loads(line.removeprefix(":::MLLOG"))["key"]
            if key != "generic_message":
                yield key


def run_of(folder: Path, scenario: str) -> Path:
    (place,) = folder.glob(f"results/*/ssd-{'resnet34' if scenario == 'Server' else 'mobilenet'}/{scenario}/performance/run_1")
    return place


@pytest.mark.parametrize("scenario", PUBLISHED)
def test_logs_have_published_keys_in_order(made: Submissions, data: Path, scenario: str) -> None:
    theirs = run_of(data / "results_v1.0/closed" / PUBLISHED[scenario], scenario)
    ours = run_of(made.root / "closed" / ("Quarry" if scenario == "Server" else trees.SUBMITTER), scenario)
    assert list(logged(ours / "mlperf_log_detail.txt")) == list(logged(theirs / "mlperf_log_detail.txt"))
    found, published = (read_summary(folder / "mlperf_log_summary.txt") for folder in (ours, theirs))
    assert list(found) == list(published)


def test_files_match_a_published_submission(made: Submissions, data: Path) -> None:
    def files(folder: Path, system: str) -> set[str]:
        paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return {path.replace(system, "SYSTEM") for path in paths}

    ours = files(made.root / "closed" / trees.SUBMITTER, trees.SYSTEM)
    theirs = files(data / "results_v1.0/closed/Lenovo", "T4x1_TRT")
    assert {path for path in ours - theirs if not path.startswith("code/")} == set()  # code is not in the published data
    assert {path for path in theirs - ours if not path.endswith("calibration_process.adoc")} == set()


def test_system_description_has_published_keys(made: Submissions, data: Path) -> None:
    ours, theirs = (
        json.loads(path.read_text())
        for path in (
            made.root / "closed" / trees.SUBMITTER / "systems" / f"{trees.SYSTEM}.json",
            data / "results_v1.0/closed/Lenovo/systems/T4x1_TRT.json",
        )
    )
    assert set(ours) == set(theirs)


@pytest.mark.parametrize("result", trees.RESULTS, ids=lambda row: "-".join(row.key))
def test_figures_are_consistent(result: trees.MadeResult) -> None:
    """Consistent with LoadGen's arithmetic: ascending percentiles, and a latency bound that is met."""
    run: Run = result.run
    values = list(run.latencies.values())
    assert values == sorted(values)
    assert run.latencies["99.00"] == result.p99_ns
    rows = dict(events(run))
    if bound := rows["effective_target_latency_ns"]:
        assert result.p99_ns <= bound
    if run.scenario == "SingleStream":
        assert rows["result_90.00_percentile_latency_ns"] == result.figure
    assert rows["generated_samples_per_query"] == rows["effective_samples_per_query"]
    assert rows["generated_query_count"] >= rows["effective_min_query_count"]

"""The table of an experiment: each scenario's figure with its unit, and why a run is invalid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ck_repo.experiments.experiment_table import accuracy_text, experiment_lines, performance_text, summary_line
from ck_repo.experiments.meta import ExperimentMeta, RecordedLoadGen, RecordedSpec, read_meta

LATENCY = {"mean": 5.0, "p50": 4.5, "p90": 6.25, "p99": 7.125, "p99_9": 9.0}


def results(scenario: str = "offline", **performance: Any) -> dict[str, Any]:
    """results.json as in docs/first-run.md."""
    return {
        "model": "model-demo-ssd", "dataset": "dataset-demo-shapes", "images": 200, "backend": "onnxruntime",
        "backend_version": "1.32.0", "device": "cpu", "batch_size": 4, "threads": 1, "sessions": 2, "scenario": scenario,
        "loadgen_version": "4.1.30", "official": False,
        "accuracy": {"mAP": 0.83456, "AP50": 0.95, "AP75": 0.9, "detections": 20000},
        "performance": {"valid": True, "queries": 1, "duration_s": 10.04, "latency_ms": LATENCY, **performance},
    }  # fmt: skip


def meta(found: dict[str, Any]) -> ExperimentMeta:
    content = {
        "recorded": "2026-11-23T17:26:13Z", "results": found, "model": {"digest": "0123456789abcdef" * 4},
        "platform": {"cpu": "Xeon", "cores_usable": 2, "memory": 8 * 2**30, "os": "Debian 12", "governor": "performance",
                     "load": 0.1},
        "venv": {"name": "mlperf-inference", "template": "mlperf-inference-1.0", "python": "3.11.7",
                 "packages": {"numpy": "2.1.0", "onnxruntime": "1.32.0"}},
        "repositories": {"ck-repo": {"git": True, "commit": "f" * 40, "changed": True}, "local": {"git": False}},
    }  # fmt: skip
    return read_meta(content, "meta.json")


@pytest.mark.parametrize(
    ("scenario", "figures", "text"),
    [
        ("offline", {"samples_per_second": 486.862}, "486.9 samples/s"),
        (
            "server",
            {"queries_per_second": 13.11, "scheduled_queries_per_second": 13.74},
            "13.7 scheduled queries/s, p99 7.12 ms",
        ),
        ("multistream", {"samples_per_query": 4}, "4 samples/query, p99 7.12 ms"),
        ("singlestream", {}, "p90 6.250 ms"),
    ],
)
def test_figure_of_each_scenario(scenario: str, figures: dict[str, Any], text: str) -> None:
    assert performance_text(meta(results(scenario, **figures))) == text
    assert performance_text(meta(results(scenario, valid=False, **figures))) == f"{text} (INVALID)"


def test_options_of_the_backend_are_shown() -> None:
    lines = experiment_lines("mine", meta({**results(), "backend_options": {"precision": "bf16", "hint": "latency"}}))
    assert "options      hint latency, precision bf16" in lines
    assert not any(line.startswith("options") for line in experiment_lines("mine", meta(results())))


def test_profile_is_a_table_below_the_figures() -> None:
    stages = dict.fromkeys(("queue_us", "batch_us", "packing_us", "loadgen_us", "harness_us", "idle_us"), 25.0)
    profile = {"samples": 10, "batches": 5, "sessions": 1, "framework_us": 75.0, **stages}
    lines = experiment_lines("mine", meta(results("offline", samples_per_second=9.0, profile=profile)))
    at = next(number for number, line in enumerate(lines) if line.startswith("profile"))
    assert "10 samples in 5 batches" in lines[at]
    assert lines[at + 3].split() == ["framework", "75.0", "37.5%"]


def test_server_target_is_next_to_its_figure() -> None:
    found = meta(results("server", scheduled_queries_per_second=13.74, target_qps=15.0))
    found = replace(found, spec=RecordedSpec(loadgen=RecordedLoadGen(target_latency_ms=10.0)))
    assert performance_text(found) == "13.7 scheduled queries/s (target 15), p99 7.12 ms (bound 10)"


def test_accuracy_is_between_0_and_1() -> None:
    assert accuracy_text(meta(results())) == "0.8346"


@pytest.mark.parametrize("found", [{}, {"accuracy": None, "performance": None}])
def test_missing_mode_is_a_dash(found: dict[str, Any]) -> None:
    assert (accuracy_text(meta(found)), performance_text(meta(found))) == ("-", "-")


def test_list_line() -> None:
    found = summary_line(meta(results(samples_per_second=486.862)))
    assert found == ("model-demo-ssd", "offline", "0.8346", "486.9 samples/s", "2026-11-23T17:26:13Z")


def table(found: dict[str, Any]) -> dict[str, str]:
    """The table, keyed by its first column."""
    rows = [line.split("  ", 1) for line in experiment_lines("mine", meta(found))]
    return {key.strip(): value.strip() for key, value in rows if key.strip()}


def test_table_shows_what_ran_and_where() -> None:
    found = table(results(samples_per_second=486.862))
    assert found["experiment"] == "mine"
    assert found["model"] == "model-demo-ssd (0123456789ab)"
    assert found["data set"] == "dataset-demo-shapes, 200 images"
    assert found["backend"] == "onnxruntime 1.32.0 on cpu"
    assert found["sessions"] == "2 × 1 thread, batch 4"
    assert found["scenario"] == "offline, LoadGen 4.1.30"
    assert found["machine"] == "Xeon, 2 cores, 8 GiB, Debian 12"
    assert found["venv"] == "mlperf-inference (mlperf-inference-1.0), Python 3.11.7, 2 packages"


def test_table_shows_figures() -> None:
    found = table(results(samples_per_second=486.862))
    assert found["accuracy"] == "mAP 0.8346, AP50 0.9500, AP75 0.9000, 20000 detections"
    assert found["performance"] == "486.9 samples/s, VALID, 10.0 s"
    assert "p99_9 9.000" in found["latency, ms"]


def test_table_shows_why_a_run_is_invalid() -> None:
    reasons = ["Min duration satisfied : NO", "the cable was pulled"]
    lines = experiment_lines("mine", meta(results(samples_per_second=1.0, valid=False, reasons=reasons)))
    place = next(number for number, line in enumerate(lines) if line.startswith("performance"))
    assert "(INVALID)" in lines[place]
    assert " VALID" not in lines[place]
    said = [line.strip() for line in lines[place + 2 : place + 4]]
    assert said == ["the run was shorter than its minimum duration", "the cable was pulled"]


@pytest.mark.parametrize(
    ("threads", "text"), [(1, "1 thread,"), (4, "4 threads,"), (0, "the framework's default number of threads,")]
)
def test_table_shows_threads(threads: int, text: str) -> None:
    assert text in table(results(samples_per_second=1.0) | {"threads": threads})["sessions"]


def test_table_shows_processes_if_there_are_several() -> None:
    found = results(samples_per_second=1.0)
    assert table(found | {"processes": 3})["processes"] == "3"
    assert "processes" not in table(found)


def test_table_shows_modified_repositories() -> None:
    lines = [line for line in experiment_lines("mine", meta(results(samples_per_second=1.0))) if line.startswith("repository")]
    assert [line.split("  ", 1)[1].strip() for line in lines] == [f"ck-repo {'f' * 12} with changes", "local, not under git"]


def test_columns_are_aligned() -> None:
    lines = experiment_lines("mine", meta(results("singlestream")))
    width = len("latency, ms") + 2
    assert all(len(line) == len(line.rstrip()) and line[width - 2 : width] == "  " for line in lines)
    assert all(line[width] != " " for line in lines)


def test_run_remarks_are_in_the_table() -> None:
    found = results(samples_per_second=486.862)
    lines = experiment_lines("mine", meta({**found, "remarks": ["2 boxes lie outside their image", "1.jpg is damaged"]}))
    assert [line.split(None, 1)[1] for line in lines if line.startswith("remark")] == [
        "2 boxes lie outside their image",
        "1.jpg is damaged",
    ]

"""Sessions in several processes: results equal those of one, failures are reported like those of one, nothing is left."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

for name in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from object_detection.errors import HarnessError  # noqa: E402
from object_detection.layouts import Layout  # noqa: E402
from object_detection.processes import count  # noqa: E402
from object_detection.processes.team import dealt  # noqa: E402
from object_detection.sut.sessions import Seat  # noqa: E402

from ck_repo.run.options import RunOptions  # noqa: E402

LOG = "accuracy/mlperf_log_accuracy.json"
ANSWER = "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"
# as many detections as the image says: none, one, or thousands, more than a slot of an answer has room for
MANY = """
ends = np.array([[0, 1, 3000][int(image.sum()) % 3] for image in images])
most = max(ends.max(), 1)
boxes = np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (n, most, 1))
scores = np.tile(np.linspace(1, 0, most, dtype=np.float32), (n, 1))
return boxes, scores, np.ones((n, most), np.float32), ends
"""

Spec = dict[str, Any]
MakeSpec = Callable[..., Spec]


def answers(run: Any) -> list[Any]:
    """The accuracy log in the order of samples: sessions side by side may complete theirs in any order."""
    return sorted(json.loads((run.folder / LOG).read_text()), key=lambda row: row["qsl_idx"])


@pytest.mark.parametrize(
    ("scenario", "changes"),
    [
        ("offline", {}),
        ("server", {}),
        ("offline", {"batch_size": 5, "processes": 3}),
        ("offline", {"model_changes": {"score_above": 0.5}}),
        ("offline", {"part": {"index": 1, "count": 2}}),
    ],
    ids=["offline", "server", "three processes", "minimum score", "part"],
)
def test_answers_equal_those_of_one_process(
    harness: Callable[..., Any], spec_for: MakeSpec, scenario: str, changes: dict[str, Any]
) -> None:
    some = {"sessions": 3, "loadgen_changes": {"performance_sample_count": 6}, "processes": 2, **changes}
    one, more = (harness(spec_for(scenario, "accuracy", **{**some, **own})) for own in ({"processes": 1}, {}))
    assert (one.results.get("processes"), more.results["processes"]) == (None, some["processes"])
    assert answers(one) == answers(more)
    assert one.results.get("accuracy") == more.results.get("accuracy")
    assert (one.folder / "accuracy/samples.json").read_bytes() == (more.folder / "accuracy/samples.json").read_bytes()
    assert not (more.folder / "asked.txt").exists()


@pytest.mark.parametrize(
    "changes", [{}, {"side": 0, "resize": "keep", "scaling": "unit", "dtype": "float32"}], ids=["small", "of any size"]
)
def test_any_number_of_detections_is_passed_on(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path], changes: dict[str, Any]
) -> None:
    backend = plugin(MANY)
    some = {"model_changes": {"backend": "toy", "score_above": None, **changes}, "sessions": 2}
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some), path=backend) for number in (1, 2))
    assert answers(one) == answers(two)
    sizes = {len(row["data"]) // 56 for row in answers(two)}
    assert sizes == {0, 1, 3000}


@pytest.mark.parametrize("scenario", ["offline", "server"])
def test_performance_run_is_complete(harness: Callable[..., Any], spec_for: MakeSpec, scenario: str) -> None:
    options = RunOptions(scenario=scenario, seconds=0.3, target_qps=200.0, target_latency=10_000.0)
    run = harness(spec_for(scenario, "performance", options=options, processes=2, profile=True))
    found, detail = run.results["performance"], run.detail("performance")
    assert found["errors"] == 0
    assert found["valid"] or scenario == "server"  # too few queries for early stopping
    assert found["profile"]["sessions"] == 2
    assert found["profile"]["samples"] == detail["result_query_count" if scenario == "server" else "generated_query_count"] * (
        1 if scenario == "server" else detail["generated_samples_per_query"]
    )
    assert min(found["profile"][f"{name}_us"] for name in ("queue", "batch", "framework", "packing", "loadgen")) > 0


def test_odd_detections_are_counted_in_all_processes(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path]
) -> None:
    backend = plugin("return np.full((n, 1, 4), 3.0), np.full((n, 1), 0.9), np.full((n, 1), 90.0), None")
    some = {"model_changes": {"backend": "toy"}, "sessions": 2, "batch_size": 1}
    modes = ("accuracy", "performance")
    one, two = (harness(spec_for("offline", *modes, processes=number, **some), path=backend).results for number in (1, 2))

    def known(remarks: list[str]) -> list[str]:
        """Without the first sample, which depends on which session was ahead."""
        return [text.partition(", the first")[0] for text in remarks]

    assert known(one["remarks"]) == known(two["remarks"])
    assert any(text.startswith("16 detections have a class") for text in two["remarks"])


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('the accelerator fell off the bus')",
        "return np.full((n, 1, 4), np.nan), np.ones((n, 1)), np.ones((n, 1)), None",
        "return np.zeros((n, 3, 4)), np.zeros((n, 2)), np.zeros((n, 3)), None",
        "return np.zeros((n, 1, 4)), np.full((n, 1), 7.0), np.ones((n, 1)), None",
        "from object_detection.errors import HarnessError\nraise HarnessError('no licence', 'buy one')",
    ],
    ids=["raises", "not a number", "shapes", "no score", "harness error"],
)
def test_error_is_that_of_one_process(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path], body: str
) -> None:
    backend = plugin(body)
    some = {"model_changes": {"backend": "toy"}, "sessions": 2, "batch_size": 16}  # a single batch: the same sample
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some), path=backend) for number in (1, 2))
    assert (one.status, one.error) == (two.status, two.error)
    assert (one.folder / "error.json").read_bytes() == (two.folder / "error.json").read_bytes()
    assert (two.folder / "stderr.log").read_text().count("Traceback (most recent call last)") >= 1
    assert not (two.folder / "results.json").exists()


def test_advice_is_that_of_one_process(harness: Callable[..., Any], spec_for: MakeSpec) -> None:
    """Classes that count from another number are impossible here, and the options that fit are found."""
    some = {"model_changes": {"class_offset": -5, "classes_are": "contiguous"}, "sessions": 2, "batch_size": 16}
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some)) for number in (1, 2))
    assert (one.folder / "error.json").read_bytes() == (two.folder / "error.json").read_bytes()
    assert "--class_offset=" in json.loads((two.folder / "error.json").read_text())["hint"]


def test_doubtful_results_have_the_advice_of_one_process(harness: Callable[..., Any], spec_for: MakeSpec) -> None:
    some = {"model_changes": {"box_order": "xyxy"}, "sessions": 2, "batch_size": 16}
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some)) for number in (1, 2))
    assert one.results["accuracy"] == two.results["accuracy"]
    assert one.results["remarks"] == two.results["remarks"]
    assert any("--box_order=yxyx" in text for text in two.results["remarks"])


def test_backend_may_print(harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path]) -> None:
    backend = plugin(f"print('a' * 100_000)\n__import__('os').write(2, b'b' * 100_000)\n{ANSWER}")
    run = harness(spec_for("offline", "accuracy", processes=2, model_changes={"backend": "toy"}), path=backend)
    assert run.results["processes"] == 2
    assert (run.folder / "stdout.log").read_text().count("a" * 100_000) >= 4


def test_every_session_has_its_gpu(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    record = f"open({str(tmp_path / 'used')!r}, 'a').write(f\"{{__import__('os').getpid()}} {{self.device}}\\n\")"
    backend = plugin(f"{record}\n{ANSWER}", ["cpu", "cuda", "cuda:1", "cuda:2"])
    some = {"model_changes": {"backend": "toy"}, "sessions": 6, "device": "cuda", "batch_size": 1, "processes": 3}
    harness(spec_for("offline", "performance", **some), path=backend)
    used = {tuple(line.split()) for line in (tmp_path / "used").read_text().splitlines()}
    assert {device for _, device in used} == {"cuda", "cuda:1", "cuda:2"}
    assert len({process for process, _ in used} - {str(os.getpid())}) >= 3


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 8])
def test_sessions_are_dealt_evenly(processes: int) -> None:
    """To few NUMA nodes and devices each: made-up ones."""
    places = [(0, 1), (0, 1), (2, 3), (2, 3)] * 2
    seats = [Seat(number, places[number], f"cuda:{number % 2}") for number in range(8)]
    parts = dealt(seats, processes)
    assert sorted(seat.number for part in parts for seat in part) == list(range(8))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    if processes == 2:
        assert [{seat.device for seat in part} for part in parts] == [{"cuda:0"}, {"cuda:1"}]


def spec_of(**changes: Any) -> Any:
    fields = {"scenario": "offline", "processes": None, "answers": (), "loadgen": SimpleNamespace(target_qps=None), **changes}
    return SimpleNamespace(**fields)


@pytest.mark.parametrize(
    ("changes", "layout", "rate", "expected"),
    [
        ({}, Layout(200, 1, 1), 1000.0, 1),
        ({}, Layout(200, 1, 1), 14_000.0, 2),
        ({}, Layout(200, 1, 8), 14_000.0, 1),  # larger batches hold the lock for a shorter time
        ({}, Layout(200, 1, 1), 30_000.0, 3),
        ({}, Layout(2, 100, 1), 30_000.0, 2),
        ({}, Layout(2, 100, 1), 1e9, 2),
        ({}, Layout(5000, 1, 1), 1e9, 64),
        ({"processes": 7}, Layout(200, 1, 1), 1000.0, 7),
        ({"processes": 7}, Layout(3, 1, 1), 1000.0, 3),
        ({"scenario": "server"}, Layout(200, 1, 1), 30_000.0, 1),  # queries come at a quarter of the rate without a target
        ({"scenario": "server", "loadgen": SimpleNamespace(target_qps=28_000.0)}, Layout(200, 1, 1), 30_000.0, 3),
        ({"scenario": "singlestream"}, Layout(1, 64, 1), 1e9, 1),
        ({"scenario": "multistream"}, Layout(8, 8, 1), 1e9, 1),
    ],
)
def test_rate_decides_how_many_processes(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], layout: Layout, rate: float, expected: int
) -> None:
    monkeypatch.setattr(count, "cores", lambda: 64)
    assert count.processes_for(spec_of(**changes), layout, rate) == expected


@pytest.mark.parametrize("scenario", ["singlestream", "multistream"])
def test_scenarios_without_a_queue_are_refused(scenario: str) -> None:
    with pytest.raises(HarnessError, match="2 processes are for offline and server"):
        count.check_processes(spec_of(scenario=scenario, processes=2))
    count.check_processes(spec_of(scenario=scenario, processes=1))

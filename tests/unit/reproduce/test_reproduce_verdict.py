"""What counts as reproduced, and what is only reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.accuracy_logs import ONE, Boxes, moved, write_log

from ck_repo.experiments.meta import ExperimentMeta, read_meta
from ck_repo.reproduce.difference import Difference
from ck_repo.reproduce.verdict import Tolerances, judge, verdict_lines


def meta(mAP: float | None = 0.25, rate: float | None = 100.0, **results: Any) -> ExperimentMeta:
    found: dict[str, Any] = {"model": "m", "scenario": "offline", **results}
    if mAP is not None:
        found["accuracy"] = {"mAP": mAP}
    if rate is not None:
        found["performance"] = {"valid": True, "samples_per_second": rate, "latency_ms": {"p90": 1.0}}
    return read_meta({"results": found}, "meta.json")


def run(
    tmp_path: Path, name: str, boxes: Boxes = ONE, order: tuple[int, ...] = (3, 1), **of: Any
) -> tuple[Path, ExperimentMeta]:
    write_log(tmp_path / name, boxes)
    (tmp_path / name / "performance").mkdir(exist_ok=True)
    (tmp_path / name / "performance/samples.json").write_text(json.dumps({"loaded": [1, 3], "issued": list(order)}))
    return tmp_path / name, meta(**of)


def test_reproduced(tmp_path: Path) -> None:
    verdict = judge(run(tmp_path, "a"), [run(tmp_path, "b", order=(3, 1, 1), rate=110.0)], [], Tolerances())
    assert verdict.reproduced
    assert verdict.same_order == {"accuracy": None, "performance": True}  # as far as both have them
    assert verdict.speed
    assert verdict.speed.ratio == pytest.approx(1.1)
    assert verdict.speed.interval is None
    assert "no interval from a single run" in "\n".join(verdict_lines(verdict))
    three = judge(run(tmp_path, "a"), [run(tmp_path, f"r{rate}", rate=rate) for rate in (99.0, 100.0, 102.0)], [], Tolerances())
    assert three.speed
    assert three.speed.interval
    assert three.speed.interval[0] < three.speed.ratio < three.speed.interval[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mAP": 0.2489}, "mAP 0.2489 differs by 0.0011 from the recorded 0.2500; the tolerance is 0.001"),
        ({"boxes": moved(0.1)}, "only 0.00 % of the detections"),
        ({"boxes": {0: ONE[0]}}, "different samples"),
    ],
)
def test_not_reproduced(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    verdict = judge(run(tmp_path, "a"), [run(tmp_path, "b", **change)], [], Tolerances())
    assert not verdict.reproduced
    assert why in verdict.why
    assert verdict_lines(verdict)[0].startswith("verdict")
    assert "NOT REPRODUCED" in verdict_lines(verdict)[0]


def test_tolerances_are_set_by_user(tmp_path: Path) -> None:
    other = run(tmp_path, "b", mAP=0.24, boxes=moved(0.1))
    assert judge(run(tmp_path, "a"), [other], [], Tolerances(mAP=0.02, share=0.0)).reproduced


def test_nothing_is_reproduced_without_recorded_accuracy(tmp_path: Path) -> None:
    verdict = judge(run(tmp_path, "a", mAP=None), [run(tmp_path, "b")], [], Tolerances())
    assert not verdict.reproduced
    assert "without accuracy" in verdict.why


def test_speed_and_machine_are_reported_but_do_not_count(tmp_path: Path) -> None:
    slow = run(tmp_path, "b", rate=1.0, order=(1, 3), threads=8)
    verdict = judge(run(tmp_path, "a", threads=2), [slow], [Difference("machine", "cpu", "A", "B")], Tolerances())
    assert verdict.reproduced
    assert verdict.same_order["performance"] is False
    assert {row.name for row in verdict.differences} == {"cpu", "threads"}
    text = "\n".join(verdict_lines(verdict))
    assert "ANOTHER" in text
    assert "machine cpu: A → B" in text
    assert "0.010 times the recorded speed" in text


def test_lower_latency_is_better(tmp_path: Path) -> None:
    def single(name: str, p90: float) -> tuple[Path, ExperimentMeta]:
        performance = {"valid": True, "latency_ms": {"p90": p90}}
        return run(tmp_path, name, scenario="singlestream", rate=None, performance=performance)

    verdict = judge(single("a", 10.0), [single("b", 5.0)], [], Tolerances())
    assert verdict.speed
    assert (verdict.speed.ratio, verdict.speed.unit) == (2.0, "ms")

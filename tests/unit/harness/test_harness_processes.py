"""Sessions in several processes: results equal those of one process, failures are reported like those of one, nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for name in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

LOG = "accuracy/mlperf_log_accuracy.json"


def answers(run: Any) -> list[Any]:
    """The accuracy log in the order of samples: sessions side by side may complete theirs in any order."""
    return sorted(json.loads((run.folder / LOG).read_text()), key=lambda row: row["qsl_idx"])


@pytest.mark.parametrize("scenario", ["offline", "server"])
def test_answers_equal_those_of_one_process(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], scenario: str
) -> None:
    some = {"loadgen_changes": {"performance_sample_count": 6}}
    one, two = (harness(spec_for(scenario, "accuracy", processes=count, sessions=3, **some)) for count in (1, 2))
    assert (one.results.get("processes"), two.results["processes"]) == (None, 2)
    assert answers(one) == answers(two)
    assert one.results["accuracy"] == two.results["accuracy"]
    assert not (two.folder / "asked.txt").exists()


def test_performance_run_is_valid(harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]) -> None:
    found = harness(spec_for("offline", "performance", processes=2)).results
    assert found["performance"]["valid"], found["performance"]

"""An accuracy run in parts: the merged log equals that of one run byte for byte; mismatched parts are rejected."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for name in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from object_detection.errors import HarnessError  # noqa: E402
from object_detection.sut.parts import read_parts  # noqa: E402

LOG = "accuracy/mlperf_log_accuracy.json"


@pytest.fixture(scope="module", params=["offline", "singlestream"])
def runs(
    request: pytest.FixtureRequest, harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]
) -> tuple[Any, list[Any], Any]:
    """One run over 16 images with 6 loaded at a time; the same in three parts; and the parts merged."""
    some = {"sessions": 1, "batch_size": 2, "loadgen_changes": {"performance_sample_count": 6}}
    whole = harness(spec_for(request.param, "accuracy", **some))
    parts = [harness(spec_for(request.param, "accuracy", part={"index": each, "count": 3}, **some)) for each in range(3)]
    merged = harness(spec_for(request.param, "accuracy", answers=[str(each.folder) for each in parts], **some))
    return whole, parts, merged


def test_merged_log_equals_log_of_one_run(runs: tuple[Any, list[Any], Any]) -> None:
    whole, parts, merged = runs
    assert (merged.folder / LOG).read_bytes() == (whole.folder / LOG).read_bytes()
    for name in ("accuracy.txt", "detections.json", "samples.json"):
        assert (merged.folder / "accuracy" / name).read_bytes() == (whole.folder / "accuracy" / name).read_bytes()
    assert merged.results["accuracy"] == whole.results["accuracy"]
    assert all("accuracy" not in part.results for part in parts)
    samples = [json.loads((part.folder / "part.json").read_text())["samples"] for part in parts]
    assert sorted(index for each in samples for index in each) == list(range(16))
    assert min(map(len, samples)) >= 4


def test_mismatched_parts_are_rejected(runs: tuple[Any, list[Any], Any], tmp_path: Path) -> None:
    folders = [part.folder for part in runs[1]]
    with pytest.raises(HarnessError, match="no part has answered sample"):
        read_parts(folders[:2], 16)
    with pytest.raises(HarnessError, match="is answered by two parts"):
        read_parts([*folders, folders[0]], 16)
    shutil.copytree(folders[0], tmp_path / "cut")
    (tmp_path / "cut" / LOG).write_text('[{"qsl_idx": 0,')
    with pytest.raises(HarnessError, match="does not hold a part's answers"):
        read_parts([tmp_path / "cut"], 16)

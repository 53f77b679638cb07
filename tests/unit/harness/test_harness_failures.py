"""A failing run ends immediately, with its cause in error.json and without results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

for name in ("numpy", "cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from ck_repo.run.options import SCENARIOS, RunOptions  # noqa: E402

ANSWER = "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"
# LoadGen runs in a folder named like the mode, the tuning before does not; so this fails in the middle of a test
BREAK = f"""
if Path.cwd().name in ("accuracy", "performance"):
    Toy.calls += 1
    if Toy.calls > 2:
        raise RuntimeError("the accelerator fell off the bus")
{ANSWER}
"""


@pytest.fixture(scope="module")
def breaking(plugin: Callable[[str], Path]) -> Path:
    return plugin(BREAK)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_failing_backend_fails_the_run(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], breaking: Path, scenario: str
) -> None:
    """The reference answers with nothing and continues to VALID (mlcommons/inference v1.0.1, python/coco.py)."""
    spec = spec_for(scenario, "performance", model_changes={"backend": "toy"}, batch_size=1)
    outcome = harness(spec, path=breaking)
    assert "RuntimeError: the accelerator fell off the bus" in outcome.error
    assert not (outcome.folder / "results.json").exists()
    assert "Traceback" in (outcome.folder / "stderr.log").read_text()


def test_wrong_shapes_fail_the_run(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path]
) -> None:
    ragged = plugin("return np.zeros((n, 3, 4)), np.zeros((n, 2)), np.zeros((n, 3)), None")
    outcome = harness(spec_for(model_changes={"backend": "toy"}), path=ragged)
    assert "boxes (4, 3, 4), scores (4, 2)" in outcome.error
    assert not (outcome.folder / "results.json").exists()


def test_unknown_backend_is_named(harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], breaking: Path) -> None:
    outcome = harness(spec_for(model_changes={"backend": "caffe"}), path=breaking)
    assert outcome.error == "there is no backend 'caffe'"
    hint = json.loads((outcome.folder / "error.json").read_text())["hint"]
    assert hint == "known: onnxruntime, openvino, tensorflow, tflite, torch, toy"


def test_model_with_other_names_error_lists_its_names(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]
) -> None:
    outcome = harness(spec_for(model_changes={"input": "image", "boxes": "bboxes"}))
    assert "input image, outputs bboxes" in outcome.error
    assert "it has inputs image_tensor:0 and outputs detection_boxes:0" in outcome.error


def test_broken_image_is_named(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], demo_set: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "val2017"
    folder.mkdir()
    for path in (demo_set / "val2017").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "000000000005.png").write_bytes(b"")
    spec = spec_for(cache=str(tmp_path / "cache"))
    spec["dataset"]["images"] = str(folder)
    outcome = harness(spec)
    assert outcome.error == f"{folder / '000000000005.png'} is empty"


def test_unreadable_spec_is_reported(harness: Callable[..., Any]) -> None:
    outcome = harness({"version": 9})
    assert "has version 9; this harness reads version 1" in outcome.error
    assert outcome.status == 3


def test_harness_exits_with_the_engine(
    start: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path], tmp_path: Path
) -> None:
    """ck_repo/run/harness.py keeps the harness's stdin open for this: a killed engine leaves no harness running for hours."""
    options = RunOptions(scenario="server", seconds=600.0, target_qps=20.0)
    spec = spec_for("server", "performance", options=options, model_changes={"backend": "toy"})
    with start(spec, tmp_path, path=plugin(f"Path('begun').touch()\n{ANSWER}")) as process:
        try:
            while not (tmp_path / "performance" / "begun").exists():
                assert process.poll() is None, (tmp_path / "stderr.log").read_text()
                time.sleep(0.01)
            process.stdin.close()
            assert process.wait(PATIENCE) != 0  # within its ten minutes
        finally:
            process.kill()
    assert not (tmp_path / "results.json").exists()

"""A detector with the names of TensorFlow 2's exporter: as a SavedModel, and as ONNX by tf2onnx."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports.conftest import PROGRAM
from exports.detected import Found

np = pytest.importorskip("numpy")
pytest.importorskip("tensorflow")

import tensorflow as tf  # noqa: E402

KINDS, CELLS = 10, 8
pytestmark = pytest.mark.slow
NAMES = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")


class Detector(tf.Module):  # type: ignore[misc]  # tensorflow is not typed
    """Returns a box, a class from 1 and a score for each cell of an image of any size."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(3)
        self.head = tf.Variable(random.normal(0, 1, (3, 5 + KINDS)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")])  # type: ignore[untyped-decorator]
    def __call__(self, input_tensor: Any) -> dict[str, Any]:
        cells = tf.image.resize(tf.cast(input_tensor, tf.float32) / 255.0, (CELLS, CELLS))
        answer = tf.reshape(tf.tensordot(cells, self.head, 1), (1, CELLS * CELLS, 5 + KINDS))
        y, x = tf.meshgrid(tf.range(CELLS, dtype=tf.float32), tf.range(CELLS, dtype=tf.float32), indexing="ij")
        centre = tf.reshape(tf.stack([y, x], -1), (1, -1, 2)) / CELLS
        extent = tf.sigmoid(answer[..., :2]) / 3
        scores = tf.reduce_max(tf.sigmoid(answer[..., 4:]), -1)
        return {
            "detection_boxes": tf.concat([centre - extent / 2, centre + extent / 2], -1),
            "detection_classes": tf.cast(tf.argmax(answer[..., 5:], -1) + 1, tf.float32),
            "detection_scores": scores,
            "num_detections": tf.fill([1], float(CELLS * CELLS)),
            "raw_detection_scores": tf.sigmoid(answer[..., 4:]),
        }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, Path]:
    detector, folder = Detector(), tmp_path_factory.mktemp("saved") / "mine"
    tf.saved_model.save(detector, str(folder), signatures={"serving_default": detector.__call__})
    return detector, folder


def own(detector: Detector, image: Any) -> Found:
    answer = {name: value.numpy()[0] for name, value in detector(tf.constant(image[None].copy())).items()}
    height, width = image.shape[:2]
    boxes = answer["detection_boxes"][:, [1, 0, 3, 2]] * np.array([width, height] * 2)
    return Found(boxes, answer["detection_scores"], answer["detection_classes"])


def test_saved_model(rgb: list[Any], compare: Callable[..., dict[str, Any]], saved: tuple[Detector, Path]) -> None:
    detector, folder = saved
    found = [own(detector, image) for image in rgb]
    section = compare(folder / "saved_model.pb", found, range(1, KINDS + 1), "tensorflow", "tensorflow")
    assert (section["profile"], section["input"]) == ("tensorflow-detection", "input_tensor")


def test_saved_model_as_onnx(
    rgb: list[Any], compare: Callable[..., dict[str, Any]], saved: tuple[Detector, Path], tmp_path: Path
) -> None:
    pytest.importorskip("tf2onnx")
    detector, folder = saved
    path = tmp_path / "model.onnx"
    command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(folder), "--output", str(path), "--opset", "13"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    section = compare(path, [own(detector, image) for image in rgb], range(1, KINDS + 1), tolerance=5e-3)
    assert (section["profile"], section["input"]) == ("tensorflow-detection", "input_tensor")


def converted(folder: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Convert a SavedModel as the recipe does."""
    output.mkdir()
    model = json.dumps({"input": "input_tensor", "profile": "tensorflow-detection"})
    command = [sys.executable, "-m", "object_detection.convert.tensorflow_to_onnx"]
    given = ["--source", str(folder / "saved_model.pb"), "--model", model, "--output", str(output)]
    environment = os.environ | {"PYTHONPATH": str(PROGRAM), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([*command, *given], env=environment, capture_output=True, text=True, check=False)


def test_our_saved_model_conversion(
    rgb: list[Any], compare: Callable[..., dict[str, Any]], saved: tuple[Detector, Path], tmp_path: Path
) -> None:
    pytest.importorskip("tf2onnx")
    detector, folder = saved
    done = converted(folder, tmp_path / "out")
    assert done.returncode == 0, done.stderr[-2000:]
    path = tmp_path / "out/model.onnx"
    section = compare(path, [own(detector, image) for image in rgb], range(1, KINDS + 1), tolerance=5e-3)
    assert (section["profile"], section["input"]) == ("tensorflow-detection", "input_tensor")


VARIABLES = "variables/variables.data-00000-of-00001"


@pytest.mark.parametrize("damage", ["truncated", "missing", "another signature"])
def test_corrupt_saved_model_is_an_error_with_folder(saved: tuple[Detector, Path], tmp_path: Path, damage: str) -> None:
    pytest.importorskip("tf2onnx")
    detector, folder = saved
    copy = tmp_path / "copy"
    if damage == "another signature":
        tf.saved_model.save(detector, str(copy), signatures={"other": detector.__call__})
    else:
        shutil.copytree(folder, copy)
        content = (copy / VARIABLES).read_bytes()
        (copy / VARIABLES).unlink() if damage == "missing" else (copy / VARIABLES).write_bytes(content[:9])
    done = converted(copy, tmp_path / "out")
    reason = (
        "has no signature serving_default, but other" if damage == "another signature" else "cannot be loaded as a SavedModel"
    )
    assert done.returncode == 3
    assert f"{copy} {reason}" in done.stderr
    assert "Traceback" not in done.stderr

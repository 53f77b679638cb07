"""Declared backend options: every value loads a model, and options that only affect speed change no answer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from object_detection.backends import framework  # noqa: E402
from object_detection.spec import Model  # noqa: E402

from ck_repo.models.backends import own_backends  # noqa: E402

MODULES = {"onnxruntime": "onnxruntime", "openvino": "openvino"}
EXACT = {"spinning", "arena", "pinning", "inter_op_threads", "streams", "execution_mode"}
CASES = [
    (backend, option.name, value)
    for backend in MODULES
    for option in own_backends()[backend].options.values()
    for value in option.values or (str(option.minimum), "2")
]


def detections(model: Path, backend: str, options: Mapping[str, str]) -> Any:
    row = Model(
        "demo", model, backend, "image_tensor:0", None, 300, "none", "NHWC", "uint8",
        "detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0", "yxyx", None, "category",
    )  # fmt: skip
    image = np.random.default_rng(7).integers(0, 256, (1, 300, 300, 3), np.uint8)
    return framework(backend, "cpu", options).load(row, "cpu", 1).run(image)


@pytest.mark.parametrize(("backend", "name", "value"), CASES)
def test_every_declared_value_is_accepted(backend: str, name: str, value: str, demo_model: Path) -> None:
    if find_spec(MODULES[backend]) is None:
        pytest.skip(f"{backend} is not installed")
    plain, found = detections(demo_model, backend, {}), detections(demo_model, backend, {name: value})
    assert [part.shape for part in found] == [part.shape for part in plain]
    if name in EXACT:
        assert all(np.allclose(one, other, atol=1e-5) for one, other in zip(plain, found, strict=True))


@pytest.mark.parametrize("value", ["yes", "no"])
def test_tflite_with_and_without_xnnpack(value: str, made_models: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    from object_detection.backends.tflite import load

    names = {"input": "image_tensor", "boxes": "boxes", "scores": "scores", "classes": "classes", "count": "count"}
    from ai_edge_litert.interpreter import Interpreter

    path = made_models / "ssd_mobilenet_v1_075_uint8.tflite"
    interpreter = Interpreter(model_path=str(path))
    outputs = [row["name"] for row in interpreter.get_output_details()]
    names = dict(zip(("boxes", "classes", "scores", "count"), outputs, strict=True))
    names["input"] = interpreter.get_input_details()[0]["name"]
    model = Model(
        "demo", path, "tflite", names["input"], None, 300, "none", "NHWC", "uint8",
        names["boxes"], names["scores"], names["classes"], names["count"], "yxyx", None, "category",
    )  # fmt: skip
    backend = load(model, "cpu", 1, {"xnnpack": value})
    found = backend.run(np.zeros((1, 300, 300, 3), np.uint8))
    assert found[0].ndim == 3

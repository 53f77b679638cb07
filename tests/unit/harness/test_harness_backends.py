"""Backends: ONNX Runtime with a real model, a third-party one by its entry point, and errors with names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
ort = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from object_detection.backends import framework  # noqa: E402
from object_detection.backends.onnxruntime import load  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.spec import Model  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402


@pytest.fixture
def demo(demo_model: Path) -> Model:
    return Model(
        "demo", demo_model, "onnxruntime", "image_tensor:0", None, 300, "none", "NHWC", "uint8",
        "detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0", "yxyx", None, "category",
    )  # fmt: skip


@pytest.mark.parametrize("batch", [1, 3])
def test_demo_model_accepts_any_batch(demo: Model, batch: int) -> None:
    backend = load(demo, "cpu", 1)
    boxes, scores, classes, counts = backend.run(np.zeros((batch, 300, 300, 3), np.uint8))
    assert backend.max_batch is None
    assert counts is not None
    assert (boxes.shape, scores.shape, classes.shape, counts.shape) == ((batch, 100, 4), (batch, 100), (batch, 100), (batch,))


def without_batch(path: Path, batch: int | str) -> Path:
    """A model like the opset-8 ssd-resnet34: its outputs have no batch dimension."""
    constants = {
        "bboxes": np.arange(20, dtype=np.float32).reshape(5, 4) / 20,
        "labels": np.arange(1, 6, dtype=np.int64),
        "scores": np.linspace(0.9, 0.1, 5, dtype=np.float32),
    }
    nodes = [helper.make_node("ReduceMax", ["image"], ["top"], keepdims=0), helper.make_node("Mul", ["top", "none"], ["zero"])]
    nodes += [helper.make_node("Add", [f"c_{name}", "zero"], [name]) for name in ("bboxes", "scores")]
    nodes += [helper.make_node("Identity", ["c_labels"], ["labels"])]
    weights = [onnx.numpy_helper.from_array(value, f"c_{name}") for name, value in constants.items()]
    weights.append(onnx.numpy_helper.from_array(np.float32(0), "none"))
    results = [
        helper.make_tensor_value_info(name, TensorProto.INT64 if name == "labels" else TensorProto.FLOAT, value.shape)
        for name, value in constants.items()
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 8, 8])
    graph = helper.make_graph(nodes, "flat", [image], results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.save(model, str(path))
    return path


def test_batch_dimension_is_added_to_outputs(demo: Model, tmp_path: Path) -> None:
    model = replace(
        demo, path=without_batch(tmp_path / "flat.onnx", 1), input="image", side=8, dtype="float32", boxes="bboxes",
        scores="scores", classes="labels", count="",
    )  # fmt: skip
    backend = load(model, "cpu", 1)
    boxes, scores, classes, counts = backend.run(np.zeros((1, 3, 8, 8), np.float32))
    assert backend.max_batch == 1
    assert (boxes.shape, scores.shape, classes.tolist(), counts) == ((1, 5, 4), (1, 5), [[1, 2, 3, 4, 5]], None)


@pytest.mark.parametrize(("dimension", "declared", "expected"), [(4, None, 4), ("N", 2, 2), ("N", None, None)])
def test_largest_batch_comes_from_model_or_meta(
    demo: Model, tmp_path: Path, dimension: int | str, declared: int | None, expected: int | None
) -> None:
    path = without_batch(tmp_path / "flat.onnx", dimension)
    names: dict[str, Any] = {"input": "image", "boxes": "bboxes", "scores": "scores", "classes": "labels", "count": ""}
    model = replace(demo, path=path, max_batch=declared, side=8, dtype="float32", **names)
    assert load(model, "cpu", 1).max_batch == expected


@pytest.mark.parametrize("change", [{"input": "image"}, {"boxes": "bboxes"}, {"count": "detections:0"}])
def test_wrong_interface_error_names_actual_tensors(demo: Model, change: dict[str, Any]) -> None:
    with pytest.raises(HarnessError) as caught:
        load(replace(demo, **change), "cpu", 1)
    message = caught.value.what
    assert next(iter(change.values())) in message
    assert "inputs image_tensor:0" in message
    assert "outputs detection_boxes:0, detection_classes:0, detection_scores:0, num_detections:0" in message
    assert "--profile" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"no model", None])
def test_invalid_model_file_is_named(demo: Model, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"broken\.onnx cannot be loaded by ONNX Runtime"):
        load(replace(demo, path=path), "cpu", 1)


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this ONNX Runtime has CUDA")
def test_unknown_device_error_lists_available_ones() -> None:
    with pytest.raises(HarnessError, match=r"onnxruntime .* cannot use cuda here; available: cpu"):
        framework("onnxruntime", "cuda")


def test_unknown_backend_error_lists_available_ones() -> None:
    with pytest.raises(HarnessError, match="there is no backend 'onyxruntime'") as caught:
        framework("onyxruntime", "cpu")
    assert "onnxruntime" in caught.value.hint


def test_third_party_backend_is_added_by_entry_point(
    plugin: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, demo: Model
) -> None:
    monkeypatch.syspath_prepend(str(plugin("return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.zeros((n, 1)), None")))
    toy = framework("toy", "cpu")
    assert toy.version() == "7.5"
    assert toy.load(demo, "cpu", 1).run(np.zeros((2, 4, 4, 3)))[0].shape == (2, 1, 4)
    with pytest.raises(HarnessError) as caught:
        framework("tow", "cpu")
    assert "toy" in caught.value.hint


@pytest.mark.parametrize("name", ["openvino", "tensorflow", "tflite", "torch"])
def test_missing_framework_error_names_its_package(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = {"tflite": "ai_edge_litert.interpreter"}.get(name, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"object_detection.backends.{name}", raising=False)
    with pytest.raises(HarnessError, match=f"the backend {name} cannot be loaded") as caught:
        framework(name, "cpu")
    assert caught.value.hint == f"`ck install package --tags=lib,python-package,{name}`"

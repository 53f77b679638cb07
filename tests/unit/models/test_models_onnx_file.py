"""ONNX files: their interface, and how corrupt ones are reported."""

from __future__ import annotations

from pathlib import Path

import model_files
import pytest
from protobuf_bytes import field, value_info, write_onnx_graph

from ck_repo.errors import DetectError
from ck_repo.models.onnx_file import read_onnx
from ck_repo.models.tensors import Tensor
from ck_repo.store.folders import default_repository_root


@pytest.fixture(scope="module")
def demo_model() -> Path:
    """Our own demo model."""
    return default_repository_root() / "package/model-demo-ssd/demo_ssd.onnx"


def test_demo_model_describes_itself(demo_model: Path) -> None:
    interface = read_onnx(demo_model)
    assert interface.inputs == (Tensor("image_tensor:0", "uint8", (None, 300, 300, 3)),)
    assert [str(row) for row in interface.outputs] == [
        "num_detections:0 float32[?]",
        "detection_boxes:0 float32[?, 100, 4]",
        "detection_scores:0 float32[?, 100]",
        "detection_classes:0 float32[?, 100]",
    ]
    assert interface.opset == 13


def test_reader_agrees_with_onnx(models: Path) -> None:
    library = pytest.importorskip("onnx")
    path = models / "ssd_mobilenet_v1_075_int8_qdq.onnx"
    graph = library.load(path, load_external_data=False).graph
    ours = read_onnx(path)
    assert [row.name for row in (*ours.inputs, *ours.outputs)] == [row.name for row in (*graph.input, *graph.output)]


def test_weights_listed_as_inputs_are_not_inputs(tmp_path: Path) -> None:
    weights = field(11, value_info("w", 1, 3)) + field(5, field(8, b"w"))
    path = write_onnx_graph(
        tmp_path / "old.onnx", weights, field(11, value_info("x", 1, "N", 3)), field(12, value_info("y", 1))
    )
    assert read_onnx(path).inputs == (Tensor("x", "float32", (None, 3)),)


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"<html>not found</html>", b"PK\3\4" + b"\0" * 99])
def test_invalid_model_is_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectError, match="it is empty" if not content else "truncated or has another format"):
        read_onnx(path)


def test_truncated_onnx_file_is_reported(demo_model: Path, tmp_path: Path) -> None:
    size = demo_model.stat().st_size
    lengths = [*range(60), *range(60, size, size // 200), *range(size - 60, size)]
    for path in model_files.cut_at(demo_model, tmp_path / "m.onnx", lengths):
        with pytest.raises(DetectError):
            read_onnx(path)

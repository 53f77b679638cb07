"""TFLite files: their interface, and how corrupt ones are reported."""

from __future__ import annotations

import os
from pathlib import Path

import model_files
import pytest
from model_files import write_tflite_tensors

from ck_repo.errors import DetectError
from ck_repo.models.tensors import Tensor
from ck_repo.models.tflite_file import read_tflite


def test_reader_agrees_with_tflite(models: Path) -> None:
    library = pytest.importorskip("ai_edge_litert.interpreter")
    path = models / "ssd_mobilenet_v1_075_uint8.tflite"
    interpreter = library.Interpreter(str(path))
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    ours = read_tflite(path)
    assert [row.name for row in (*ours.inputs, *ours.outputs)] == [row["name"] for row in details]
    assert ours.inputs[0].shape == tuple(details[0]["shape"])


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"<html>not found</html>", b"PK\3\4" + b"\0" * 99])
def test_invalid_model_is_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(DetectError, match="it is empty" if not content else "truncated or has another format"):
        read_tflite(path)


@pytest.mark.parametrize("source", ["made_models", "data"])
def test_truncated_tflite_file_is_reported(request: pytest.FixtureRequest, tmp_path: Path, source: str) -> None:
    """Cut anywhere before the operator names, which our reader does not need."""
    folder = request.getfixturevalue(source)
    path = (folder / "models" if source == "data" else folder) / "ssd_mobilenet_v1_075_uint8.tflite"
    content = path.read_bytes()
    # in the published file, operator names and the label map (a zip) follow
    # in ours, the operator's name follows its length and 28 bytes of its table
    end, before = (b"PK\3\4", 200) if source == "data" else (b"TFLite_Detection_PostProcess", 33)
    size = content.rindex(end) - before
    for cut in model_files.cut_at(path, tmp_path / "m.tflite", [*range(60), *range(60, size, max(size // 200, 1)), size]):
        with pytest.raises(DetectError):
            read_tflite(cut)


def test_tflite_file_with_truncated_weights_is_reported(tmp_path: Path) -> None:
    path = write_tflite_tensors(tmp_path / "m.tflite", weights=4096)
    assert read_tflite(path).inputs == (Tensor("x", "float32", (1, 8)),)
    os.truncate(path, path.stat().st_size - 2000)
    with pytest.raises(DetectError):
        read_tflite(path)


def test_shared_long_shape_is_read_once(tmp_path: Path) -> None:
    model = write_tflite_tensors(tmp_path / "m.tflite", sides=[1] * 80_000, copies=20_000)
    with pytest.raises(DetectError, match="a list has 80000 numbers; the maximum is 32"):
        read_tflite(model)


@pytest.mark.parametrize("inputs", [[-1], [1], [0] * 2000], ids=["negative", "none", "many"])
def test_tflite_inputs_that_are_not_tensors(tmp_path: Path, inputs: list[int]) -> None:
    with pytest.raises(DetectError, match="is not a TFLite model"):
        read_tflite(write_tflite_tensors(tmp_path / "m.tflite", inputs=inputs))


@pytest.mark.parametrize(
    "content", [b"\0" * 4 + b"TFL3", b"\xff" * 4 + b"TFL3" + b"\xff" * 1000, b"\0\0\0\0TFL3" + bytes(1000)]
)
def test_tflite_file_with_invalid_offsets(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(DetectError):
        read_tflite(tmp_path / "m.tflite")

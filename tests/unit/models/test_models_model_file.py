"""Model files: what they say about themselves, and how corrupt ones are reported."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import write_tflite_tensors
from protobuf_bytes import field, node, placeholder, value_info, write_onnx_graph

from ck_repo.errors import DetectError, NotFoundError
from ck_repo.models.model_file import inspect_model
from ck_repo.models.onnx_file import read_onnx
from ck_repo.models.tensors import Tensor
from ck_repo.models.tflite_file import read_tflite

READERS = {".onnx": read_onnx, ".tflite": read_tflite}


@pytest.mark.parametrize(
    ("name", "image", "opset"),
    [
        ("ssd_mobilenet_v1_075_fp32.onnx", "image_tensor:0", 13),
        ("ssd_mobilenet_v1_075_int8_qdq.onnx", "image_tensor:0", 13),
        ("ssd_mobilenet_v1_075_uint8.tflite", "normalized_input_image_tensor", 0),
    ],
)
def test_models_are_read_and_fit_coco_300(models: Path, name: str, image: str, opset: int) -> None:
    path = models / name
    assert READERS[path.suffix](path).inputs == (Tensor(image, "uint8", (1, 300, 300, 3)),)
    model = inspect_model(path, path.suffix[1:])
    profile = "coco-300-tflite" if path.suffix == ".tflite" else "coco-300"
    assert (model["profile"], model["input"], model["max_batch"], model["opset"]) == (profile, image, 1, opset)
    assert len(model["signature"]["outputs"]) == 4


def test_tflite_file_without_inputs_is_reported(tmp_path: Path) -> None:
    path = write_tflite_tensors(tmp_path / "m.tflite", inputs=[])
    for profile in ("", "coco-300"):
        with pytest.raises(DetectError, match=r"m\.tflite"):
            inspect_model(path, "tflite", profile)


def damaged(draw: st.DataObject, content: bytes, first: int) -> bytes:
    """The content with some bytes after `first` changed."""
    changed = bytearray(content)
    for at, value in draw.draw(st.dictionaries(st.integers(first, len(content) - 1), st.integers(0, 255), max_size=6)).items():
        changed[at] = value
    return bytes(changed)


def looked_at(path: Path, content: bytes) -> None:
    """The result is a model's interface or a DetectError, whatever the file contains."""
    path.write_bytes(content)
    for profile in ("", "coco-300"):
        with suppress(DetectError):
            assert inspect_model(path, path.suffix[1:], profile)["signature"]["inputs"]


ANY_TMP_PATH = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@ANY_TMP_PATH
@given(draw=st.data())
def test_corrupt_onnx_file_is_a_model_or_an_error(tmp_path: Path, draw: st.DataObject) -> None:
    rows = (field(11, value_info("image", 2, 1, 300, 300, 3)), field(12, value_info("boxes", 1, "N", 4)))
    looked_at(tmp_path / "m.onnx", damaged(draw, write_onnx_graph(tmp_path / "good.onnx", *rows).read_bytes(), 0))


@ANY_TMP_PATH
@given(draw=st.data())
def test_corrupt_tflite_file_is_a_model_or_an_error(made_models: Path, tmp_path: Path, draw: st.DataObject) -> None:
    content = (made_models / "ssd_mobilenet_v1_075_uint8.tflite").read_bytes()
    looked_at(tmp_path / "m.tflite", damaged(draw, content, 0))


@ANY_TMP_PATH
@given(draw=st.data())
def test_corrupt_published_tflite_file(data: Path, tmp_path: Path, draw: st.DataObject) -> None:
    content = (data / "models/ssd_mobilenet_v1_075_uint8.tflite").read_bytes()
    looked_at(tmp_path / "m.tflite", damaged(draw, content, len(content) - 35_000))  # the weights come first


@ANY_TMP_PATH
@given(content=st.binary(max_size=400), suffix=st.sampled_from([".onnx", ".tflite"]))
def test_random_bytes_are_not_a_model(tmp_path: Path, content: bytes, suffix: str) -> None:
    looked_at(tmp_path / f"m{suffix}", b"\x10\0\0\0TFL3" + content if suffix == ".tflite" else content)


def test_unknown_interface_error_lists_tensor_names(tmp_path: Path) -> None:
    inputs, outputs = field(11, value_info("pixels", 1, 1, 3, 64, 64)), field(12, value_info("boxes", 1, "N", 4))
    with pytest.raises(DetectError, match="no known profile matches") as caught:
        inspect_model(write_onnx_graph(tmp_path / "own.onnx", inputs, outputs), "onnx")
    assert "pixels float32[1, 3, 64, 64]" in str(caught.value)
    assert "boxes float32[?, 4]" in str(caught.value)
    assert "--profile=" in caught.value.hint


def test_named_profile_must_fit_the_file(tmp_path: Path) -> None:
    rows = [field(12, value_info(output, 1)) for output in ("bboxes", "scores", "labels")]
    path = write_onnx_graph(tmp_path / "own.onnx", field(11, value_info("pixels", 1)), *rows)
    model = inspect_model(path, "onnx", "coco-1200-pt")
    assert (model["profile"], model["input"], model["max_batch"], model["opset"]) == ("coco-1200-pt", "pixels", None, 8)
    with pytest.raises(DetectError, match="does not match") as refused:
        inspect_model(path, "onnx", "coco-300")
    assert "its input pixels is float32; the interface has uint8" in str(refused.value)
    assert "no output detection_boxes:0 for the boxes, only bboxes, scores, labels" in str(refused.value)
    with pytest.raises(NotFoundError, match="coco-12OO") as caught:
        inspect_model(path, "onnx", "coco-12OO-pt")
    assert "coco-1200-pt" in caught.value.hint


def test_input_name_must_exist_in_the_file(tmp_path: Path) -> None:
    rows = [field(12, value_info(output, 1)) for output in ("bboxes", "scores", "labels")]
    path = write_onnx_graph(tmp_path / "own.onnx", field(11, value_info("pixels", 1)), *rows)
    assert inspect_model(path, "onnx", "coco-1200-pt", given={"input": "pixels"})["input"] == "pixels"
    with pytest.raises(DetectError, match="its input for images is pixels; --input= names image"):
        inspect_model(path, "onnx", "coco-1200-pt", given={"input": "image"})


# side, layout, type and names of each profile: mlcommons/inference v1.0.1, python/main.py
@pytest.mark.parametrize(
    ("name", "image", "outputs"),
    [
        ("coco-300-pt", (1, 1, 3, 300, 300), ("bboxes", "labels", "scores")),
        ("coco-1200-pt", (1, 1, 3, 1200, 1200), ("bboxes", "labels", "scores")),
        ("coco-1200-tf", (1, 1, 3, 1200, 1200), ("detection_bboxes:0", "detection_scores:0", "detection_classes:0")),
        (
            "coco-300",
            (2, "N", "H", "W", 3),
            ("num_detections:0", *(f"detection_{x}:0" for x in ("boxes", "scores", "classes"))),
        ),
    ],
)
def test_interface_determines_profile(tmp_path: Path, name: str, image: tuple[int, ...], outputs: tuple[str, ...]) -> None:
    dtype, *shape = image
    rows = [field(12, value_info(output, 1)) for output in outputs]
    path = write_onnx_graph(tmp_path / "m.onnx", field(11, value_info("image", dtype, *shape)), *rows)
    found = inspect_model(path, "onnx")["profile"]
    assert found == name


@pytest.mark.parametrize(
    ("image", "outputs", "profile"),
    [
        (("image_tensor", 4, -1, 300, 300, 3), ("boxes", "scores", "classes"), "coco-300"),
        (("image", 1, -1, 3, 1200, 1200), ("bboxes", "scores", "classes"), "coco-1200-tf"),
    ],
)
def test_frozen_graph_interface_determines_profile(
    tmp_path: Path, image: tuple[Any, ...], outputs: tuple[str, ...], profile: str
) -> None:
    names = [f"detection_{output}" for output in outputs] + (["num_detections"] if profile == "coco-300" else [])
    path = tmp_path / "g.pb"
    path.write_bytes(placeholder(*image) + b"".join(node(name, "Identity", image[0]) for name in names))
    model = inspect_model(path, "tensorflow")
    assert (model["profile"], model["input"], model["format"]) == (profile, f"{image[0]}:0", "tensorflow")

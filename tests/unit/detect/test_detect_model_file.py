"""Model files: what they say of themselves, and what happens when they are damaged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import model_files
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ck_repo.detect.model_file import inspect_model
from ck_repo.errors import DetectError, NotFoundError
from ck_repo.formats.onnx_file import read_onnx
from ck_repo.formats.tensors import Tensor
from ck_repo.formats.tflite_file import read_tflite

READERS = {".onnx": read_onnx, ".tflite": read_tflite}


def field(number: int, content: bytes | int) -> bytes:
    """A field of a protobuf message: bytes or a number."""
    if isinstance(content, int):
        return bytes([number << 3]) + varint(content)
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def value_info(name: str, dtype: int, *sizes: int | str) -> bytes:
    """ValueInfoProto of onnx.proto; a text for a size is its dim_param."""
    shape = b"".join(field(1, field(2, s.encode()) if isinstance(s, str) else field(1, s)) for s in sizes)
    return field(1, name.encode()) + field(2, field(1, field(1, dtype) + field(2, shape)))


def onnx(path: Path, *graph: bytes, opset: int = 8) -> Path:
    """ModelProto with a graph of these fields."""
    path.write_bytes(field(1, 4) + field(7, b"".join(graph)) + field(8, field(1, b"") + field(2, opset)))
    return path


def tflite(path: Path, weights: int = 8, inputs: Sequence[int] = (0,), sides: Sequence[int] = (1, 8), copies: int = 1) -> Path:
    """A Model of schema.fbs with one tensor, or many that share a shape; its weights are the last thing in the file."""
    builder = pytest.importorskip("flatbuffers").Builder(0)

    def table(*fields: int) -> int:
        builder.StartObject(len(fields))
        for slot, offset in enumerate(fields):
            if offset:
                builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        return int(builder.EndObject())

    def vector(rows: Sequence[int], prepend: Callable[[int], None]) -> int:
        builder.StartVector(4, len(rows), 4)
        for row in reversed(rows):
            prepend(row)
        return int(builder.EndVector())

    buffers = vector([table(builder.CreateByteVector(bytes(weights)))], builder.PrependUOffsetTRelative)
    tensor = table(vector(sides, builder.PrependInt32), 0, 0, builder.CreateString("x"))
    tensors = vector([tensor] * copies, builder.PrependUOffsetTRelative)
    graph = table(tensors, vector(inputs, builder.PrependInt32), vector([0], builder.PrependInt32))
    graphs = vector([graph], builder.PrependUOffsetTRelative)
    builder.Finish(table(0, 0, graphs, 0, buffers), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    return path


def test_the_demo_model_says_what_it_is(demo_model: Path) -> None:
    interface = read_onnx(demo_model)
    assert interface.inputs == (Tensor("image_tensor:0", "uint8", (None, 300, 300, 3)),)
    assert [str(row) for row in interface.outputs] == [
        "num_detections:0 float32[?]",
        "detection_boxes:0 float32[?, 100, 4]",
        "detection_scores:0 float32[?, 100]",
        "detection_classes:0 float32[?, 100]",
    ]
    assert interface.opset == 13


@pytest.fixture(scope="session")
def made_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models in 32 and 8 bits, and one of TFLite, under the names of the published files."""
    folder = tmp_path_factory.mktemp("models")
    model_files.write_onnx(folder / "ssd_mobilenet_v1_075_fp32.onnx")
    model_files.write_onnx(folder / "ssd_mobilenet_v1_075_int8_qdq.onnx", eight_bits=True)
    model_files.write_tflite(folder / "ssd_mobilenet_v1_075_uint8.tflite")
    return folder


@pytest.fixture(scope="session", params=["made", "published"])
def models(request: pytest.FixtureRequest) -> Path:
    """Model files that the tests make, and published ones."""
    if request.param == "made":
        return Path(request.getfixturevalue("made_models"))
    return Path(request.getfixturevalue("data")) / "models"


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


def test_our_reader_and_onnx_s_own_agree(models: Path) -> None:
    library = pytest.importorskip("onnx")
    path = models / "ssd_mobilenet_v1_075_int8_qdq.onnx"
    graph = library.load(path, load_external_data=False).graph
    ours = read_onnx(path)
    assert [row.name for row in (*ours.inputs, *ours.outputs)] == [row.name for row in (*graph.input, *graph.output)]


def test_our_reader_and_tflite_s_own_agree(models: Path) -> None:
    library = pytest.importorskip("ai_edge_litert.interpreter")
    path = models / "ssd_mobilenet_v1_075_uint8.tflite"
    interpreter = library.Interpreter(str(path))
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    ours = read_tflite(path)
    assert [row.name for row in (*ours.inputs, *ours.outputs)] == [row["name"] for row in details]
    assert ours.inputs[0].shape == tuple(details[0]["shape"])


def test_weights_that_are_listed_among_the_inputs_are_none(tmp_path: Path) -> None:
    weights = field(11, value_info("w", 1, 3)) + field(5, field(8, b"w"))
    path = onnx(tmp_path / "old.onnx", weights, field(11, value_info("x", 1, "N", 3)), field(12, value_info("y", 1)))
    assert read_onnx(path).inputs == (Tensor("x", "float32", (None, 3)),)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"<html>not found</html>", b"PK\3\4" + b"\0" * 99])
def test_what_is_no_model_is_told(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(DetectError, match="it is empty" if not content else "cut short or of another format"):
        READERS[suffix](path)


def cut_at(path: Path, copy: Path, lengths: list[int]) -> Iterator[Path]:
    """A copy of the file at each of these lengths."""
    shutil.copyfile(path, copy)
    for length in sorted(lengths, reverse=True):  # a copy that is only ever made shorter
        os.truncate(copy, length)
        yield copy


def test_an_onnx_file_that_is_cut_short_is_told(demo_model: Path, tmp_path: Path) -> None:
    size = demo_model.stat().st_size
    lengths = [*range(60), *range(60, size, size // 200), *range(size - 60, size)]
    for path in cut_at(demo_model, tmp_path / "m.onnx", lengths):
        with pytest.raises(DetectError):
            read_onnx(path)


@pytest.mark.parametrize("source", ["made_models", "data"])
def test_a_tflite_file_that_is_cut_short_is_told(request: pytest.FixtureRequest, tmp_path: Path, source: str) -> None:
    """Cut anywhere before the names of the operators, which our reader does not need."""
    folder = request.getfixturevalue(source)
    path = (folder / "models" if source == "data" else folder) / "ssd_mobilenet_v1_075_uint8.tflite"
    content = path.read_bytes()
    # of the published file: behind it are operator names, and the label map as a zip
    # of ours: the operator's name is behind its length and 28 bytes of its table
    end, before = (b"PK\3\4", 200) if source == "data" else (b"TFLite_Detection_PostProcess", 33)
    size = content.rindex(end) - before
    for cut in cut_at(path, tmp_path / "m.tflite", [*range(60), *range(60, size, max(size // 200, 1)), size]):
        with pytest.raises(DetectError):
            read_tflite(cut)


def test_a_tflite_file_whose_weights_come_last_and_are_cut_is_told(tmp_path: Path) -> None:
    path = tflite(tmp_path / "m.tflite", weights=4096)
    assert read_tflite(path).inputs == (Tensor("x", "float32", (1, 8)),)
    os.truncate(path, path.stat().st_size - 2000)
    with pytest.raises(DetectError):
        read_tflite(path)


def test_a_tflite_file_without_inputs_is_told(tmp_path: Path) -> None:
    path = tflite(tmp_path / "m.tflite", inputs=[])
    for profile in ("", "coco-300"):
        with pytest.raises(DetectError, match=r"m\.tflite"):
            inspect_model(path, "tflite", profile)


def spoilt(draw: st.DataObject, content: bytes, first: int) -> bytes:
    """The content with some bytes behind `first` changed."""
    changed = bytearray(content)
    for at, value in draw.draw(st.dictionaries(st.integers(first, len(content) - 1), st.integers(0, 255), max_size=6)).items():
        changed[at] = value
    return bytes(changed)


def looked_at(path: Path, content: bytes) -> None:
    """The answer is a model's interface or a DetectError, whatever the file holds."""
    path.write_bytes(content)
    for profile in ("", "coco-300"):
        with suppress(DetectError):
            assert inspect_model(path, path.suffix[1:], profile)["signature"]["inputs"]


ANY_TMP_PATH = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY_TMP_PATH
@given(draw=st.data())
def test_an_onnx_file_with_spoilt_bytes_is_a_model_or_an_error(tmp_path: Path, draw: st.DataObject) -> None:
    rows = (field(11, value_info("image", 2, 1, 300, 300, 3)), field(12, value_info("boxes", 1, "N", 4)))
    looked_at(tmp_path / "m.onnx", spoilt(draw, onnx(tmp_path / "good.onnx", *rows).read_bytes(), 0))


@ANY_TMP_PATH
@given(draw=st.data())
def test_a_tflite_file_with_spoilt_bytes_is_a_model_or_an_error(made_models: Path, tmp_path: Path, draw: st.DataObject) -> None:
    content = (made_models / "ssd_mobilenet_v1_075_uint8.tflite").read_bytes()
    looked_at(tmp_path / "m.tflite", spoilt(draw, content, 0))


@ANY_TMP_PATH
@given(draw=st.data())
def test_a_published_tflite_file_with_spoilt_bytes(data: Path, tmp_path: Path, draw: st.DataObject) -> None:
    content = (data / "models/ssd_mobilenet_v1_075_uint8.tflite").read_bytes()
    looked_at(tmp_path / "m.tflite", spoilt(draw, content, len(content) - 35_000))  # weights come before


@ANY_TMP_PATH
@given(content=st.binary(max_size=400), suffix=st.sampled_from([".onnx", ".tflite"]))
def test_random_bytes_are_no_model(tmp_path: Path, content: bytes, suffix: str) -> None:
    looked_at(tmp_path / f"m{suffix}", b"\x10\0\0\0TFL3" + content if suffix == ".tflite" else content)


def test_an_interface_that_no_profile_fits_is_told_with_its_names(tmp_path: Path) -> None:
    inputs, outputs = field(11, value_info("pixels", 1, 1, 3, 64, 64)), field(12, value_info("boxes", 1, "N", 4))
    with pytest.raises(DetectError, match="no known profile fits") as caught:
        inspect_model(onnx(tmp_path / "own.onnx", inputs, outputs), "onnx")
    assert "pixels float32[1, 3, 64, 64]" in str(caught.value)
    assert "boxes float32[?, 4]" in str(caught.value)
    assert "--profile=" in caught.value.hint


def test_a_named_profile_is_used_whatever_the_interface(tmp_path: Path) -> None:
    path = onnx(tmp_path / "own.onnx", field(11, value_info("pixels", 1)), field(12, value_info("boxes", 1)))
    model = inspect_model(path, "onnx", "coco-1200-pt")
    assert (model["profile"], model["input"], model["max_batch"], model["opset"]) == ("coco-1200-pt", "pixels", None, 8)
    with pytest.raises(NotFoundError, match="coco-12OO") as caught:
        inspect_model(path, "onnx", "coco-12OO-pt")
    assert "coco-1200-pt" in caught.value.hint


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
def test_the_interface_tells_the_profile(tmp_path: Path, name: str, image: tuple[int, ...], outputs: tuple[str, ...]) -> None:
    dtype, *shape = image
    rows = [field(12, value_info(output, 1)) for output in outputs]
    path = onnx(tmp_path / "m.onnx", field(11, value_info("image", dtype, *shape)), *rows)
    found = inspect_model(path, "onnx")["profile"]
    assert found == name


def test_a_long_shape_that_many_tensors_share_is_not_read_for_each(tmp_path: Path) -> None:
    model = tflite(tmp_path / "m.tflite", sides=[1] * 80_000, copies=20_000)
    with pytest.raises(DetectError, match="a list has 80000 numbers; 32 are allowed"):
        read_tflite(model)


@pytest.mark.parametrize("inputs", [[-1], [1], [0] * 2000], ids=["negative", "none", "many"])
def test_inputs_that_are_no_tensors_of_a_tflite_file(tmp_path: Path, inputs: list[int]) -> None:
    with pytest.raises(DetectError, match="is not a TFLite model"):
        read_tflite(tflite(tmp_path / "m.tflite", inputs=inputs))


@pytest.mark.parametrize(
    "content", [b"\0" * 4 + b"TFL3", b"\xff" * 4 + b"TFL3" + b"\xff" * 1000, b"\0\0\0\0TFL3" + bytes(1000)]
)
def test_a_tflite_file_that_points_anywhere(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(DetectError):
        read_tflite(tmp_path / "m.tflite")

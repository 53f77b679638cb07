"""Recognising interfaces: known exports by names, shapes and metadata; contradictions; ambiguities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from model_files import OPENVINO_NET
from protobuf_bytes import field, value_info, write_onnx_graph

from ck_repo.errors import ConfigError, DetectError, UsageError
from ck_repo.models.interface import FIELDS, given_fields, typed
from ck_repo.models.model_file import inspect_model, profile_for_file
from ck_repo.models.networks import own_networks
from ck_repo.models.openvino_file import read_openvino
from ck_repo.models.profiles import Profile, own_profiles

F32, U8, I64, F16 = 1, 2, 7, 10
IMAGES = ("images", F32, 1, 3, 640, 640)
Tensors = list[tuple[Any, ...]]


def graph(path: Path, inputs: Tensors, outputs: Tensors, metadata: dict[str, str] | None = None) -> Path:
    """An ONNX file with these inputs and outputs: name, type and sizes."""
    rows = [field(11, value_info(*row)) for row in inputs] + [field(12, value_info(*row)) for row in outputs]
    write_onnx_graph(path, *rows)
    more = [field(14, field(1, key.encode()) + field(2, value.encode())) for key, value in (metadata or {}).items()]
    path.write_bytes(path.read_bytes() + b"".join(more))
    return path


KNOWN: list[tuple[str, Tensors, Tensors, str, dict[str, Any]]] = [
    ("yolo v8", [IMAGES], [("output0", F32, 1, 84, 8400)], "yolo-v8", {"boxes": "output0[0:4]", "scores": "output0[4:]"}),
    ("yolo v8 of one class", [IMAGES], [("output0", F32, 1, 5, 8400)], "yolo-v8", {"transposed": True}),
    ("yolo v8, fixed batch", [("images", F32, 4, 3, 320, 320)], [("o", F32, 4, 84, 2100)], "yolo-v8", {"side": 320}),
    ("yolo v8, any batch", [("images", F32, "n", 3, 640, 640)], [("o", F32, "n", 84, "anchors")], "yolo-v8", {"side": 640}),
    ("yolo v8, half", [("images", F16, 1, 3, 640, 640)], [("o", F16, 1, 84, 8400)], "yolo-v8", {"dtype": "float16"}),
    ("yolo v8, oblong", [("images", F32, 1, 3, 384, 640)], [("o", F32, 1, 84, 5040)], "yolo-v8", {"height": 384, "width": 640}),
    ("yolo v5", [IMAGES], [("output0", F32, 1, 25200, 85)], "yolo-v5", {"objectness": "output0[4]", "scores": "output0[5:]"}),
    ("yolo v5 of four grids", [("images", F32, 1, 3, 1280, 1280)], [("o", F32, 1, 102000, 85)], "yolo-v5", {"side": 1280}),
    ("yolo v8 that takes bytes", [("images", U8, 1, 3, 640, 640)], [("o", F32, 1, 84, 8400)], "yolo-v8",
     {"dtype": "uint8", "scaling": "none"}),
    ("yolo v8, channels last", [("images", F32, "n", 640, 640, 3)], [("o", F32, "n", 84, 8400)], "yolo-v8", {"layout": "NHWC"}),
    ("yolo v10", [IMAGES], [("output0", F32, 1, 300, 6)], "yolo-end-to-end", {"classes": "output0[5]"}),
    ("yolo v7", [IMAGES], [("output", F32, "rows", 7)], "yolo-v7-end-to-end", {"image": "output[0]"}),
    (
        "DETR", [("pixel_values", F32, "batch", 3, "h", "w")],
        [("logits", F32, "batch", 100, 92), ("pred_boxes", F32, "batch", 100, 4)],
        "detr", {"scores": "logits", "boxes": "pred_boxes", "background": "last", "resize": "keep"},
    ),
    (
        "RT-DETR", [("pixel_values", F32, 1, 3, 640, 640)], [("logits", F32, 1, 300, 80), ("pred_boxes", F32, 1, 300, 4)],
        "rt-detr", {"scores_are": "sigmoid", "side": 640},
    ),
    (
        "RT-DETR with post-processing", [IMAGES, ("orig_target_sizes", I64, 1, 2)],
        [("labels", I64, 1, 300), ("boxes", F32, 1, 300, 4), ("scores", F32, 1, 300)],
        "rt-detr-deploy", {"size_input": "orig_target_sizes", "box_units": "pixels"},
    ),
    ("RT-DETR of Ultralytics", [IMAGES], [("output0", F32, 1, 300, 84)], "rt-detr-ultralytics", {"box_units": "unit"}),
    (
        "SSDlite", [("x", F32, 1, 3, 320, 320)], [("4232", F32, "n", 4), ("4201", F32, "n"), ("4202", I64, "n")],
        "torchvision-detection", {"boxes": "4232", "scores": "4201", "classes": "4202", "side": 320, "resize": "stretch"},
    ),
    (
        "Faster R-CNN", [("x", F32, 1, 3, "h", "w")], [("boxes", F32, "n", 4), ("labels", I64, "n"), ("scores", F32, "n")],
        "torchvision-detection", {"classes": "labels", "scores": "scores", "side": 0, "resize": "keep"},
    ),
    (
        "TensorFlow 2", [("input_tensor", U8, 1, "h", "w", 3)],
        [("detection_anchor_indices", F32, 1, 100), ("detection_boxes", F32, 1, 100, 4), ("detection_classes", F32, 1, 100),
         ("detection_scores", F32, 1, 100), ("num_detections", F32, 1), ("raw_detection_boxes", F32, 1, 1917, 4)],
        "tensorflow-detection", {"side": 0, "boxes": "detection_boxes", "count": "num_detections"},
    ),
    (
        "TensorFlow 2 of one size", [("input_tensor", U8, 1, 512, 512, 3)],
        [(f"{name}:0", F32, 1, 100) for name in ("detection_scores", "detection_classes", "num_detections")]
        + [("detection_boxes:0", F32, 1, 100, 4)],
        "tensorflow-detection", {"side": 512, "boxes": "detection_boxes:0", "resize": "stretch"},
    ),
    ("OpenVINO's SSD", [("data", F32, 1, 3, 300, 300)], [("out", F32, 1, 1, 200, 7)], "openvino-detection", {"colour": "bgr"}),
]  # fmt: skip


@pytest.mark.parametrize(("inputs", "outputs", "name", "fields"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN])
def test_known_exports(tmp_path: Path, inputs: Tensors, outputs: Tensors, name: str, fields: dict[str, Any]) -> None:
    path = graph(tmp_path / "m.onnx", inputs, outputs)
    model = inspect_model(path, "onnx")
    own = profile_for_file(model, str(path), own_networks())
    assert model["profile"] == name
    data = {**vars(own), **own.as_data()}
    assert {key: data[key] for key in fields} == fields
    assert not [text for text in (own.boxes, own.scores, own.classes) if "{" in text]


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        ([("o", F32, 1, "rows", 6)], ("yolo-v5", "yolo-end-to-end")),
        ([("o", F32, 1, 400, 6)], ("yolo-v5", "yolo-end-to-end")),
        ([("o", F32, 1, 8400, 85)], ("yolo-v6", "yolox", "yolo-v8-rows")),
        ([("logits", F32, 1, "q", 80), ("boxes", F32, 1, "q", 4)], ("detr", "rt-detr")),
    ],
)
def test_ambiguous_interfaces_are_named(tmp_path: Path, outputs: Tensors, names: tuple[str, ...]) -> None:
    path = graph(tmp_path / "m.onnx", [IMAGES], outputs)
    with pytest.raises(DetectError, match="interfaces match") as caught:
        inspect_model(path, "onnx")
    for name in names:
        assert f"--profile={name}" in caught.value.hint
        assert inspect_model(path, "onnx", name)["profile"] == name


def test_metadata_decides_where_shapes_do_not(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", [IMAGES], [("o", F32, 1, "rows", 6)], {
        "author": "Ultralytics", "description": "Ultralytics YOLOv10n model trained on coco.yaml",
    })  # fmt: skip
    assert inspect_model(path, "onnx")["profile"] == "yolo-end-to-end"


def test_class_names_identify_yolov5_with_dynamic_sizes(tmp_path: Path) -> None:
    inputs, outputs = [("images", F32, "n", 3, "h", "w")], [("o", F32, "n", "rows", 85)]
    path = graph(tmp_path / "m.onnx", inputs, outputs, {"stride": "32", "names": "{0: 'person'}"})
    assert inspect_model(path, "onnx")["profile"] == "yolo-v5"


UNKNOWN: list[tuple[str, Tensors, Tensors, dict[str, str]]] = [
    ("columns in place of rows", [IMAGES], [("o", F32, 1, 85, 25200)], {}),
    ("poses", [IMAGES], [("o", F32, 1, 56, 8400)], {"task": "pose", "author": "Ultralytics", "description": "YOLO"}),
    ("oriented boxes", [IMAGES], [("o", F32, 1, 20, 8400)], {"task": "obb"}),
    ("masks", [IMAGES], [("o", F32, 1, 116, 8400), ("masks", F32, 1, 32, 160, 160)], {}),
    ("heads", [IMAGES], [(f"head{n}", F32, 1, 3, n, n, 85) for n in (80, 40, 20)], {}),
    ("heat maps", [IMAGES], [("heat", F32, 1, 80, 160, 160), ("size", F32, 1, 2, 160, 160)], {}),
    ("a second input", [IMAGES, ("scale_factor", F32, 1, 2)], [("rows", F32, "n", 6), ("count", 6, 1)], {}),
    ("boxes with a score", [IMAGES], [("dets", F32, 1, 100, 5), ("labels", I64, 1, 100)], {}),
    ("seven columns", [IMAGES], [("detections", F32, 1, 100, 7)], {}),
    ("grey images", [("images", F32, 1, 1, 640, 640)], [("o", F32, 1, 84, 8400)], {}),
    ("a class for an image", [IMAGES], [("o", F32, 1, 1000)], {}),
]


@pytest.mark.parametrize(("inputs", "outputs", "metadata"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_unknown_interface_is_not_guessed(tmp_path: Path, inputs: Tensors, outputs: Tensors, metadata: dict[str, str]) -> None:
    path = graph(tmp_path / "m.onnx", inputs, outputs, metadata)
    with pytest.raises(DetectError, match="no known profile matches its interface") as caught:
        inspect_model(path, "onnx")
    assert all(row[0] in caught.value.what for row in (*inputs, *outputs))
    assert metadata.get("task", "") in caught.value.what
    assert "own-model.md" in caught.value.hint


def test_described_byte_model_gets_raw_bytes(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", [("x", U8, 1, 64, 64, 3)], [("boxes", F32, 1, 9, 4), ("scores", F32, 1, 9, 3)])
    given = {"boxes": "boxes", "scores": "scores"}
    own = profile_for_file(inspect_model(path, "onnx", given=given), str(path), own_networks())
    assert (own.dtype, own.scaling, own.layout) == ("uint8", "none", "NHWC")
    with pytest.raises(DetectError, match=r"takes bytes; scaled pixels \(imagenet\) are fractions"):
        inspect_model(path, "onnx", given={**given, "scaling": "imagenet"})


@pytest.mark.parametrize(
    ("given", "both"),
    [
        ({"layout": "NHWC"}, ("float32[1, 3, 640, 640]", "NHWC")),
        ({"side": "300"}, ("640, 640", "300 × 300")),
        ({"side": "free"}, ("fixed size", "free")),
        ({"dtype": "uint8"}, ("is float32", "has uint8")),
        ({"boxes": "detections"}, ("no output detections for the boxes", "output0")),
        ({"scores": "output0[90]"}, ("84 columns", "output0[90]")),
        ({"size_input": "sizes"}, ("inputs images", "besides sizes")),
    ],
)
def test_interface_contradicting_the_file(tmp_path: Path, given: dict[str, str], both: tuple[str, str]) -> None:
    path = graph(tmp_path / "m.onnx", [IMAGES], [("output0", F32, 1, 84, 8400)])
    with pytest.raises(DetectError, match="does not match") as caught:
        inspect_model(path, "onnx", given=given_fields(given))
    assert all(text in caught.value.what for text in both)


def test_profile_with_shapes_missing_from_the_file(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", [IMAGES], [("output0", F32, 1, 84, 8400)])
    with pytest.raises(DetectError, match=r"does not match the profile yolo-v5: .* float\[B,N,5\+C\]"):
        inspect_model(path, "onnx", "yolo-v5")


def test_described_model_needs_no_profile(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", [("x", F32, 1, 416, 416, 3)], [("a", F32, 1, 50, 4), ("b", F32, 1, 50, 12)])
    model = inspect_model(path, "onnx", given=given_fields({"boxes": "#0", "scores": "b", "mean": "1,2,3", "nms": "class"}))
    own = profile_for_file(model, str(path), own_networks())
    assert (own.side, own.layout, own.scores, own.classes, own.mean, own.nms) == (416, "NHWC", "b", "", [1, 2, 3], "class")


@pytest.mark.parametrize(
    ("given", "resize"), [({}, "stretch"), ({"resize": "keep"}, "keep"), ({"resize": "letterbox"}, "letterbox")]
)
def test_fixed_size_model_stretches_by_default(tmp_path: Path, given: dict[str, str], resize: str) -> None:
    path = graph(tmp_path / "m.onnx", [IMAGES], [("boxes", F32, 1, 100, 4), ("scores", F32, 1, 100, 7)])
    model = inspect_model(path, "onnx", given={"boxes": "boxes", "scores": "scores", **given})
    assert profile_for_file(model, "", own_networks()).resize == resize


@pytest.mark.parametrize(
    ("name", "value"),
    [("side", "0"), ("side", "wide"), ("mean", "1,2"), ("std", "0"), ("nms_iou", "1.5"), ("resize", "crop"), ("clip", "maybe"),
     ("max_detections", "-1"), ("layout", "CHW"), ("width", "1e9")],
)  # fmt: skip
def test_invalid_field_values(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        typed(name, value)
    with pytest.raises(UsageError, match=f"--{name}"):
        given_fields({name: value})


def test_every_field_is_in_profile_and_harness() -> None:
    pytest.importorskip("numpy")
    from object_detection.spec import Model

    names = {row.name for row in FIELDS}
    assert names - {"input", "max_batch"} <= set(Profile.__dataclass_fields__)
    assert names <= set(Model.__dataclass_fields__)
    for own in own_profiles().values():
        assert Model("m", Path("m"), "b", "i", None, **own.as_spec()).size == own.size


def test_openvino_xml_is_read_without_openvino(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    path.write_text(OPENVINO_NET)
    found = read_openvino(path)
    assert [str(row) for row in (*found.inputs, *found.outputs)] == ["images float32[1, 3, 64, 64]", "a float32[?, 7]"]
    assert inspect_model(path, "openvino")["profile"] == "yolo-v7-end-to-end"


@pytest.mark.parametrize(
    "content", ["", OPENVINO_NET[:200], "<html/>", "<net/>", '<!DOCTYPE n [<!ENTITY a "aaaa">]><net/>',
     OPENVINO_NET.replace('"1" precision', '"9" precision')],
)  # fmt: skip
def test_invalid_openvino_model(tmp_path: Path, content: str) -> None:
    path = tmp_path / "m.xml"
    path.write_text(content)
    with pytest.raises(DetectError, match=r"m\.xml is not an OpenVINO model"):
        read_openvino(path)


def test_tflite_detection_outputs_in_any_order(made_models: Path, tmp_path: Path) -> None:
    """The meaning of an output follows from the operation that produces it, not from its position in the file."""
    from ck_repo.models.tflite_file import _Buffer

    source = made_models / "ssd_mobilenet_v1_075_uint8.tflite"
    before = inspect_model(source, "tflite")
    content = bytearray(source.read_bytes())
    buffer = _Buffer(content)  # type: ignore[arg-type]
    graph = buffer.tables(buffer.number("<I", 0), 2, 1)[0]
    begin, count = buffer._vector(graph, 2)
    numbers = [content[begin + 4 * at : begin + 4 * at + 4] for at in range(count)]
    content[begin : begin + 4 * count] = b"".join(numbers[at] for at in (2, 0, 3, 1))
    turned = tmp_path / "turned.tflite"
    turned.write_bytes(content)
    assert inspect_model(turned, "tflite").get("outputs") == before.get("outputs")
    assert inspect_model(turned, "tflite")["signature"]["outputs"] != before["signature"]["outputs"]

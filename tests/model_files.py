"""Small runnable model files: SSD's interface around a few weights."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

DETECTIONS = 100
TFLITE_DETECTIONS = 10
# of the TFLite file: corners (ymin, xmin, ymax, xmax) of boxes that do not overlap, and a score of each class
TFLITE_BOXES = tuple((row / 4, column / 4, row / 4 + 0.2, column / 4 + 0.2) for row in range(3) for column in range(4))
TFLITE_SCORES = tuple((0.9 - number / 20, 0.05) for number in range(len(TFLITE_BOXES)))
_METADATA = "labels.txt"

# a network in OpenVINO's format, without weights
OPENVINO_NET = """<net name="m" version="11"><layers>
<layer id="0" name="images" type="Parameter"><data shape="1,3,64,64" element_type="f32"/>
<output><port id="0" precision="FP32" names="images"><dim>1</dim><dim>3</dim><dim>64</dim><dim>64</dim></port></output></layer>
<layer id="1" name="head" type="Relu"><output>
<port id="1" precision="FP32" names="b,a"><dim>-1</dim><dim>7</dim></port></output></layer>
<layer id="2" name="end" type="Result"><input><port id="0"/></input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
<edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>"""


def write_onnx(path: Path, *, eight_bits: bool = False) -> Path:
    """An ONNX file with the interface of ``coco-300``: fixed boxes, scores that depend on the image's mean colours.

    Parameters
    ----------
    eight_bits
        Whether the weights are int8 with a DequantizeLinear node.
    """
    onnx, np = pytest.importorskip("onnx"), pytest.importorskip("numpy")
    chance = np.random.default_rng(5)
    weights = chance.uniform(-0.01, 0.01, (3, DETECTIONS)).astype(np.float32)
    corner = chance.uniform(0, 0.5, (1, DETECTIONS, 2))
    constants = {
        "boxes": np.concatenate([corner, corner + 0.3], 2).astype(np.float32),
        "classes": chance.integers(1, 91, (1, DETECTIONS)).astype(np.float32),
        "count": np.array([DETECTIONS], np.float32),
    }
    make = onnx.helper.make_node
    nodes = [
        make("Cast", ["image_tensor:0"], ["pixels"], to=onnx.TensorProto.FLOAT),
        make("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        make("MatMul", ["mean", "weights"], ["raw"]),
        make("Sigmoid", ["raw"], ["detection_scores:0"]),
        make("Identity", ["boxes"], ["detection_boxes:0"]),
        make("Identity", ["classes"], ["detection_classes:0"]),
        make("Identity", ["count"], ["num_detections:0"]),
    ]
    if eight_bits:
        scale = np.float32(0.01 / 127)
        constants |= {"stored": np.rint(weights / scale).astype(np.int8), "scale": scale, "zero": np.int8(0)}
        nodes.insert(0, make("DequantizeLinear", ["stored", "scale", "zero"], ["weights"]))
    else:
        constants["weights"] = weights
    value = onnx.helper.make_tensor_value_info
    outputs = {"num_detections": [1], "detection_boxes": [1, DETECTIONS, 4]}
    outputs |= {key: [1, DETECTIONS] for key in ("detection_scores", "detection_classes")}
    graph = onnx.helper.make_graph(
        nodes, "made", [value("image_tensor:0", onnx.TensorProto.UINT8, [1, 300, 300, 3])],
        [value(f"{name}:0", onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(content), name) for name, content in constants.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def write_tflite(path: Path) -> Path:
    """A TFLite file whose detection op gets `TFLITE_BOXES` and `TFLITE_SCORES` for any image; it returns 10 of 12 boxes.

    Field numbers: schema.fbs of TensorFlow Lite. The operator's names are the last thing in the FlatBuffer, as files that
    TensorFlow writes have them; labels follow as a zip archive.
    """
    numpy = pytest.importorskip("numpy")
    flatbuffers = pytest.importorskip("flatbuffers")
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    builder = flatbuffers.Builder(1024)
    code = _table(builder, {0: ("Int8", 32), 1: ("", builder.CreateString("TFLite_Detection_PostProcess")), 3: ("Int32", 32)})
    options = flexbuffers.Builder()
    with options.Map():
        for name, number in (("max_detections", TFLITE_DETECTIONS), ("max_classes_per_detection", 1), ("num_classes", 2)):
            options.Int(name, number)
        rates = {"nms_score_threshold": 0.01, "nms_iou_threshold": 0.6, "y_scale": 10.0, "x_scale": 10.0}
        for name, rate in (rates | {"h_scale": 5.0, "w_scale": 5.0}).items():
            options.Float(name, rate)
    count = len(TFLITE_BOXES)
    anchors = [((a + c) / 2, (b + d) / 2, c - a, d - b) for a, b, c, d in TFLITE_BOXES]  # centre and size
    background = [(0.0, *row) for row in TFLITE_SCORES]
    name = "TFLite_Detection_PostProcess"
    tensors: list[tuple[str, int, Sequence[int], Any]] = [  # name, type, shape, content
        ("normalized_input_image_tensor", 3, (1, 300, 300, 3), None),
        ("offsets", 0, (1, count, 4), numpy.zeros((1, count, 4))),  # a box is its anchor
        ("scores", 0, (1, count, 3), numpy.array([background])),
        ("anchors", 0, (count, 4), numpy.array(anchors)),
        (name, 0, (1, TFLITE_DETECTIONS, 4), None),
        (f"{name}:1", 0, (1, TFLITE_DETECTIONS), None),
        (f"{name}:2", 0, (1, TFLITE_DETECTIONS), None),
        (f"{name}:3", 0, (1,), None),
    ]
    stored = [_table(builder, {})]  # buffer 0 is empty, for tensors without content
    rows = []
    for title, kind, shape, content in tensors:
        buffer = 0
        if content is not None:
            data = builder.CreateNumpyVector(numpy.frombuffer(content.astype("<f4").tobytes(), numpy.uint8))
            stored.append(_table(builder, {0: ("", data)}))
            buffer = len(stored) - 1
        offsets = builder.CreateNumpyVector(numpy.array(shape, numpy.int32)), builder.CreateString(title)
        rows.append(_table(builder, {0: ("", offsets[0]), 1: ("Int8", kind), 2: ("Uint32", buffer), 3: ("", offsets[1])}))
    finished = numpy.frombuffer(bytes(options.Finish()), numpy.uint8)
    used = (1, 2, 3), (4, 5, 6, 7), (0,), (4, 5, 6, 7)  # inputs and outputs of the operator, then of the graph
    numbers = [builder.CreateNumpyVector(numpy.array(row, numpy.int32)) for row in used]
    made = {0: ("Uint32", 0), 1: ("", numbers[0]), 2: ("", numbers[1]), 5: ("", builder.CreateNumpyVector(finished))}
    operators = _vector(builder, [_table(builder, made)])
    listed = _vector(builder, rows)
    graph = _table(builder, {0: ("", listed), 1: ("", numbers[2]), 2: ("", numbers[3]), 3: ("", operators)})
    parts = _vector(builder, [code]), _vector(builder, [graph]), _vector(builder, stored)
    model = _table(builder, {0: ("Uint32", 3), 1: ("", parts[0]), 2: ("", parts[1]), 4: ("", parts[2])})
    builder.Finish(model, file_identifier=b"TFL3")
    labels = io.BytesIO()
    with zipfile.ZipFile(labels, "w") as archive:
        archive.writestr(_METADATA, "one kind\nanother\n")
    path.write_bytes(bytes(builder.Output()) + labels.getvalue())
    return path


def write_tflite_tensors(
    path: Path, weights: int = 8, inputs: Sequence[int] = (0,), sides: Sequence[int] = (1, 8), copies: int = 1
) -> Path:
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


def cut_at(path: Path, copy: Path, lengths: list[int]) -> Iterator[Path]:
    """A copy of the file at each of these lengths."""
    shutil.copyfile(path, copy)
    for length in sorted(lengths, reverse=True):  # a copy that only gets shorter
        os.truncate(copy, length)
        yield copy


def write_mobilenet(path: Path, *, eight_bits: bool = False) -> Path:
    """SSD-MobileNet v1 of depth 0.25 with seeded weights, as safetensors; on noise it gives some tens of detections above 0.1.

    Parameters
    ----------
    eight_bits
        Whether the outputs of the backbone's layers and the scores are rounded to 256 steps; the file then has anchors, too.
    """
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    from object_detection.models.anchors import mobilenet_anchors
    from object_detection.models.ssd_mobilenet import SSDMobileNet

    own = {}
    if eight_bits:
        layers = [
            "backbone.0.",
            *(f"backbone.{block}.{kind}/" for block in range(1, 14) for kind in ("depthwise", "pointwise")),
        ]
        own = {f"{layer}rounding.range": torch.tensor([6 / 255, 0.0]) for layer in layers}
        own |= {"scores.range": torch.tensor([1 / 256, 0.0]), "anchors": torch.tensor(mobilenet_anchors(), dtype=torch.float32)}
    torch.manual_seed(0)
    network = SSDMobileNet(91, 0.25, own=list(own))
    network.load_state_dict(own, strict=False)
    for name, values in network.state_dict().items():
        if values.ndim == 4:  # of a convolution: variance stays about the same from layer to layer
            values.normal_(0, (2 / values[0].numel()) ** 0.5)
        elif name.endswith("BatchNorm.scale"):
            values.uniform_(0.8, 1.2)
        elif name.endswith("bias"):
            values.normal_(0, 0.1)
    predictors: Any = network.predictors
    for head in predictors:
        head.classification.weight.data.mul_(4)
        head.classification.bias.data.sub_(8)
    rule = {"score_above": "0.05", "iou": "0.6", "total": "100"}
    scaling = {"input_offset": "127.5", "input_scale": str(1 / 127.5)}
    safetensors.save_file(network.state_dict(), path, {"architecture": "ssd-mobilenet-v1", **rule, **scaling})
    return path


def name_depthwise(path: Path) -> None:
    """Give the depthwise convolutions of an ONNX file the names of TensorFlow's graph, which tf2onnx drops."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(path))
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    depthwise = [node for node in convolutions if any(row.name == "group" and row.i > 1 for row in node.attribute)]
    assert len(depthwise) == 13
    for block, node in enumerate(depthwise, 1):
        node.name = f"FeatureExtractor/MobilenetV1/MobilenetV1/Conv2d_{block}_depthwise/depthwise"
    onnx.save(model, str(path))


def _table(builder: Any, fields: dict[int, tuple[str, int]]) -> int:
    """A table; a field is an offset ("") or a number of a type of flatbuffers."""
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, (kind, content) in fields.items():
        if kind:
            add: Callable[[int, int, int], None] = getattr(builder, f"Prepend{kind}Slot")
            add(slot, content, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, content, 0)
    return int(builder.EndObject())


def _vector(builder: Any, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for row in reversed(tables):
        builder.PrependUOffsetTRelative(row)
    return int(builder.EndVector())

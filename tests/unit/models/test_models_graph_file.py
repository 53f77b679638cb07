"""Frozen graphs of TensorFlow: inputs and outputs read from their bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from protobuf_bytes import node, placeholder

from ck_repo.errors import DetectError
from ck_repo.models.graph_file import read_graph
from ck_repo.models.tensors import Tensor

DETECTION = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


def test_placeholders_and_leaves_are_inputs_and_outputs(tmp_path: Path) -> None:
    path = tmp_path / "g.pb"
    rows = [placeholder("image_tensor", 4, -1, 300, 300, 3), node("c", "Const"), node("relu", "Relu", "image_tensor")]
    rows += [node(name, "Identity", "relu:0", "^c") for name in DETECTION]
    path.write_bytes(b"".join(rows))
    found = read_graph(path)
    assert found.inputs == (Tensor("image_tensor:0", "uint8", (None, 300, 300, 3)),)
    assert [row.name for row in found.outputs] == [f"{name}:0" for name in DETECTION]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"\xff\xff\xff", "truncated or has another format"),
        (placeholder("x", 1, 1)[:-3], "truncated"),
        (node("c", "Const"), "no placeholder"),
        (placeholder("x", 1, 1) + node("w", "VariableV2"), "the variable w is not frozen"),
        (struct.pack("<Q", 0) * 2, "is not a frozen graph"),
    ],
)
def test_invalid_frozen_graph_is_reported(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "g.pb"
    path.write_bytes(content)
    with pytest.raises(DetectError, match=why):
        read_graph(path)


def test_tensorflow_output_is_read(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.uint8, [None, 300, 300, 3], name="image_tensor")
        for name in DETECTION:
            tf.identity(images, name=name)
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    assert read_graph(path).inputs == (Tensor("image_tensor:0", "uint8", (None, 300, 300, 3)),)

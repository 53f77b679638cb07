"""Convert weights to ONNX: the network with PyTorch's exporter, followed by ONNX's selection of detections."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from object_detection.convert.task import Task, main
from object_detection.models.detector import Detector
from object_detection.models.load import load_declared
from object_detection.models.rule import Rule

FILE = "model.onnx"
_OPSET = 18
_DECODED = ["decoded_boxes", "class_scores", "raw_scores", "raw_offsets"]


class Decoded(nn.Module):
    """A network up to the boxes (batch, anchors, 4) and the scores (batch, classes, anchors) before selection."""

    def __init__(self, network: Detector, channels_last: bool) -> None:
        super().__init__()
        self.network, self._channels_last = network, channels_last

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run."""
        network = self.network
        given = images.permute(0, 3, 1, 2).float() if self._channels_last else images
        scores, offsets = network.heads(given)
        confidences = network.confidences(scores)
        return network.decode(offsets), confidences.transpose(1, 2), scores, offsets


def convert(task: Task) -> None:
    """Write model.onnx, for one image at a time."""
    network, declared = load_declared(task.source)
    profile, interface = declared.profile_for("onnx"), declared.interface("onnx")
    if profile["scaling"] == "none":
        network.take_bytes()
    side, channels_last = profile["side"], profile["layout"] == "NHWC"
    shape = (1, side, side, 3) if channels_last else (1, 3, side, side)
    path = task.output / FILE
    export(network, torch.zeros(shape, dtype=getattr(torch, profile["dtype"])), interface["input"], path, channels_last)
    model = onnx.load(str(path))
    add_selection(model.graph, network.selection(), interface["outputs"])
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    task.write_interface(**interface, max_batch=1, opset=_OPSET)


def export(network: Detector, images: Tensor, name: str, path: Path, channels_last: bool) -> None:
    """Write the network without its selection of detections.

    Parameters
    ----------
    images
        An example of the input, in the shape and dtype of the model: (1, height, width, 3) if `channels_last`, else (1, 3,
        height,
        width).
    name
        Name of the input.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Decoded(network, channels_last), (images,), str(path), input_names=[name], output_names=_DECODED,
            opset_version=_OPSET, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip


def anchors_of(graph: onnx.GraphProto) -> int:
    """The number of boxes of the network."""
    return int(next(row for row in graph.output if row.name == "decoded_boxes").type.tensor_type.shape.dim[1].dim_value)


def add_selection(graph: onnx.GraphProto, rule: Rule, names: dict[str, str]) -> None:
    """Append non-maximum suppression and selection of the best detections.

    Parameters
    ----------
    graph
        The graph of `export`, with the outputs ``decoded_boxes`` (1, anchors, 4) and ``class_scores`` (1, classes, anchors).
    rule
        Thresholds and limits of the selection.
    names
        Names of the new outputs, which replace those of the graph: ``boxes`` (1, detections, 4), ``scores`` and ``classes`` (1,
        detections), and ``count`` (1,), which is empty for none. All are float32; classes count from 1.
    """

    def constant(name: str, value: object, dtype: type) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=dtype), f"selection/{name}"))
        return f"selection/{name}"

    def node(operation: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        graph.node.append(helper.make_node(operation, inputs, outputs, **attributes))
        return outputs[0]

    maximum = constant("most", [rule.total], np.int64)
    candidates = "class_scores"
    if rule.candidates < anchors_of(graph):
        node(
            "TopK", ["class_scores", constant("of_a_class", [rule.candidates], np.int64)], ["selection/top", "selection/top_at"]
        )
        last = [constant(name, [value], np.int64) for name, value in (("last", -1), ("end", 1 << 62), ("axis", 2))]
        lowest = node("Slice", ["selection/top", *last], ["selection/least"])
        enough = node("GreaterOrEqual", ["class_scores", lowest], ["selection/enough"])
        candidates = node("Where", [enough, "class_scores", constant("nothing", 0, np.float32)], ["selection/candidates"])
    rows = node(
        "NonMaxSuppression",
        [
            "decoded_boxes",
            candidates,
            maximum,
            constant("iou", rule.iou, np.float32),
            constant("above", rule.score_above, np.float32),
        ],
        ["selection/rows"],
    )  # (found, 3): image, class, anchor
    zero, one, two, three = (constant(f"at_{at}", [at], np.int64) for at in range(4))
    kinds = node("Slice", [rows, one, two, one], ["selection/kinds"])
    anchors = node("Slice", [rows, two, three, one], ["selection/anchors"])
    pairs = node("Slice", [rows, one, three, one], ["selection/pairs"])
    scores = node("GatherND", [node("Squeeze", ["class_scores", zero], ["selection/all_scores"]), pairs], ["selection/scores"])
    count = node("Min", [node("Shape", [scores], ["selection/found"]), maximum], ["selection/count"])
    best = ["selection/best_scores", "selection/best"]
    node("TopK", [scores, count], best)
    chosen = node("Gather", [node("Squeeze", [anchors, one], ["selection/anchor"]), best[1]], ["selection/chosen"])
    kind = node("Gather", [node("Squeeze", [kinds, one], ["selection/kind"]), best[1]], ["selection/best_kind"])
    boxes = node("Gather", [node("Squeeze", ["decoded_boxes", zero], ["selection/all_boxes"]), chosen], ["selection/boxes"])
    labels = node("Cast", [node("Add", [kind, one], ["selection/label"])], ["selection/labels"], to=TensorProto.FLOAT)
    node("Unsqueeze", [boxes, zero], [names["boxes"]])
    node("Unsqueeze", [best[0], zero], [names["scores"]])
    node("Unsqueeze", [labels, zero], [names["classes"]])
    outputs = {names["boxes"]: [1, None, 4], names["scores"]: [1, None], names["classes"]: [1, None]}
    if names["count"]:
        node("Cast", [count], [names["count"]], to=TensorProto.FLOAT)
        outputs[names["count"]] = [1]
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items())


if __name__ == "__main__":
    main(convert)

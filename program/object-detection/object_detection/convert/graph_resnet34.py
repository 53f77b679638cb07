"""SSD-ResNet34 1200 as a TensorFlow graph, channels first, with the interface of MLPerf's resnet34_tf.22.1.pb."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from object_detection.convert.weights import Arrays
from object_detection.models.anchors import resnet34_anchors
from object_detection.models.networks.ssd_resnet34_1200 import ADDITIONAL, CODER, HEAD_STRIDE, RULE

_SIDE = 1200
_EPSILON = 1e-5  # of batch normalisation, as in PyTorch
_STAGES = (("model.layer1.4", 3, 1), ("model.layer1.5", 4, 2), ("model.layer2.0", 6, 1))  # name, blocks, stride of the first


def resnet34(arrays: Arrays, metadata: Mapping[str, str]) -> None:
    """Add the network to the default graph.

    Parameters
    ----------
    arrays
        The weights, by the names of the network for PyTorch; kernels have PyTorch's order of axes.
    metadata
        ``iou`` and ``score_above`` of the selection; the network's own if they are missing.
    """
    network = _Network(arrays)
    images = tf.compat.v1.placeholder(tf.float32, [None, 3, _SIDE, _SIDE], name="image")
    scores, offsets = network.heads(images)
    tf.identity(scores, name="raw_scores")
    tf.identity(offsets, name="raw_offsets")
    anchors = resnet34_anchors()
    centre = offsets[..., :2] * CODER[0] * anchors[:, 2:] + anchors[:, :2]
    half = tf.exp(offsets[..., 2:] * CODER[1]) * (anchors[:, 2:] / 2)
    near, far = (centre - half)[..., ::-1], (centre + half)[..., ::-1]  # y before x
    confidences = tf.nn.softmax(scores)[..., 1:]
    candidates = tf.math.top_k(tf.transpose(confidences, [0, 2, 1]), RULE.candidates).values  # of each class
    confidences = tf.where(confidences >= candidates[:, None, :, -1], confidences, 0.0)
    found = tf.image.combined_non_max_suppression(
        tf.concat([near, far], -1)[:, :, None],
        confidences,
        max_output_size_per_class=RULE.total,
        max_total_size=RULE.total,
        iou_threshold=float(metadata.get("iou", RULE.iou)),
        score_threshold=float(metadata.get("score_above", RULE.score_above)),
        clip_boxes=False,
    )
    tf.identity(found[0], name="detection_bboxes")
    tf.identity(found[1], name="detection_scores")
    tf.identity(found[2] + 1.0, name="detection_classes")


class _Network:
    """The layers, channels first."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def _conv(self, values: tf.Tensor, name: str, stride: int, padding: int) -> tf.Tensor:
        kernel = self._arrays[f"{name}.weight"].transpose(2, 3, 1, 0)
        pads = [[0, 0], [0, 0], [padding, padding], [padding, padding]]
        scope = name.replace(".", "/")
        values = tf.nn.conv2d(values, kernel, [1, 1, stride, stride], pads, "NCHW", name=f"{scope}/Conv2D")
        if f"{name}.bias" in self._arrays:
            values = tf.nn.bias_add(values, self._arrays[f"{name}.bias"], "NCHW", name=f"{scope}/BiasAdd")
        return values

    def _norm(self, values: tf.Tensor, name: str) -> tf.Tensor:
        rows = (self._arrays[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
        found = tf.compat.v1.nn.fused_batch_norm(
            values, *rows, epsilon=_EPSILON, data_format="NCHW", is_training=False, name=name.replace(".", "/")
        )
        return found[0]

    def _block(self, values: tf.Tensor, name: str, stride: int) -> tf.Tensor:
        inner = tf.nn.relu(self._norm(self._conv(values, f"{name}.conv1", stride, 1), f"{name}.bn1"))
        inner = self._norm(self._conv(inner, f"{name}.conv2", 1, 1), f"{name}.bn2")
        if f"{name}.downsample.0.weight" in self._arrays:
            values = self._norm(self._conv(values, f"{name}.downsample.0", stride, 0), f"{name}.downsample.1")
        return tf.nn.relu(inner + values)

    def _backbone(self, values: tf.Tensor) -> tf.Tensor:
        values = tf.nn.relu(self._norm(self._conv(values, "model.layer1.0", 2, 3), "model.layer1.1"))
        values = tf.pad(values, [[0, 0], [0, 0], [1, 1], [1, 1]])  # pad with zeros, which never are the maximum after a ReLU
        values = tf.nn.max_pool2d(values, [1, 1, 3, 3], [1, 1, 2, 2], "VALID", "NCHW")
        for name, blocks, first in _STAGES:
            for number in range(blocks):
                values = self._block(values, f"{name}.{number}", first if number == 0 else 1)
        return values

    def heads(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(batch, 15130, classes) before the softmax, and (batch, 15130, 4)."""
        features = [self._backbone(values)]
        for number, (_, _, stride, padding) in enumerate(ADDITIONAL):
            name = f"additional_blocks.{number}"
            inner = tf.nn.relu(self._conv(features[-1], f"{name}.0", 1, 0))
            features.append(tf.nn.relu(self._conv(inner, f"{name}.2", stride, padding)))
        return self._rows(features, "conf"), self._rows(features, "loc")

    def _rows(self, features: list[tf.Tensor], head: str) -> tf.Tensor:
        """Split channels into predicted values and kinds of boxes."""
        per_box = 4 if head == "loc" else self._arrays["conf.0.bias"].shape[0] // 4
        rows = []
        for number, feature in enumerate(features):
            found = self._conv(feature, f"{head}.{number}", HEAD_STRIDE, 1)
            count = int(np.prod([int(size) for size in found.shape[1:]])) // per_box
            rows.append(tf.reshape(found, [-1, per_box, count]))
        return tf.transpose(tf.concat(rows, 2), [0, 2, 1])

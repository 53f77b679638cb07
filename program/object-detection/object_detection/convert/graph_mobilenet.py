"""SSD-MobileNet v1 as a TensorFlow graph, with nodes named as in ssd_mobilenet_v1_coco."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from object_detection.convert.mobilenet_names import BACKBONE, EXTRAS, bias_name, range_name
from object_detection.convert.weights import Arrays
from object_detection.models.anchors import MOBILENET_KINDS, mobilenet_anchors
from object_detection.models.networks.ssd_mobilenet_v1 import CODER, FEATURES, RULE, STRIDE_2

_SIDE = 300
_ROWS = 100  # of the published graph's outputs
ANCHORS = "anchors"  # the node that conversions back search for


def mobilenet(arrays: Arrays, metadata: Mapping[str, str]) -> None:
    """Add the network to the default graph.

    The input is in bytes, whatever the source's was: the scaling is a part of the graph, as in the published one.

    Parameters
    ----------
    arrays
        The weights, by the names of the network for PyTorch; kernels have PyTorch's order of axes. ``anchors``, (1917, 4), and
        ranges of quantization are optional.
    metadata
        ``input_offset`` and ``input_scale`` of values of pixels; ``total``, ``iou`` and ``score_above`` of the selection. What
        is
        missing is the network's usual value.
    """
    images = tf.compat.v1.placeholder(tf.uint8, [None, _SIDE, _SIDE, 3], name="image_tensor")
    offset = float(metadata.get("input_offset", 127.5))  # a source without its own scaling expects -1 to 1
    scale = float(metadata.get("input_scale", 1 / 127.5))
    values = (tf.cast(images, tf.float32) - offset) * scale
    scores, offsets = _heads(values, arrays)
    anchors = tf.constant(arrays.get("anchors", mobilenet_anchors()).astype(np.float32), name=ANCHORS)
    boxes = _decoded(offsets / np.array(CODER, dtype=np.float32), anchors)
    confidences = tf.sigmoid(scores[..., 1:], name="Postprocessor/convert_scores")
    confidences = _rounded(confidences, arrays, "scores.range")
    total = min(int(metadata.get("total", _ROWS)), _ROWS)
    found = tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        confidences,
        max_output_size_per_class=total,
        max_total_size=total,
        iou_threshold=float(metadata.get("iou", RULE.iou)),
        score_threshold=float(metadata.get("score_above", RULE.score_above)),
        clip_boxes=False,
    )
    tf.identity(found[0], name="detection_boxes")
    tf.identity(found[1], name="detection_scores")
    valid = tf.sequence_mask(found[3], total, dtype=tf.float32)
    tf.identity((found[2] + 1.0) * valid, name="detection_classes")
    tf.cast(found[3], tf.float32, name="num_detections")


def _heads(values: tf.Tensor, arrays: Arrays) -> tuple[tf.Tensor, tf.Tensor]:
    values = _layer(values, arrays, "backbone.0.0", BACKBONE + "Conv2d_0", stride=2)
    features = []
    for block in range(1, 14):
        stride = 2 if block in STRIDE_2 else 1
        name = f"{BACKBONE}Conv2d_{block}_"
        values = _layer(values, arrays, f"backbone.{block}.depthwise", f"{name}depthwise", stride=stride)
        values = _layer(values, arrays, f"backbone.{block}.pointwise", f"{name}pointwise")
        if block in FEATURES:
            features.append(values)
    for extra in range(4):
        for part, stride in ((0, 1), (2, 2)):
            layer = f"extras.{extra}.{part}"
            out, size = arrays[f"{layer}.weight"].shape[0], arrays[f"{layer}.weight"].shape[-1]
            shape = f"{size}x{size}" + ("_s2" if stride == 2 else "")
            values = _layer(values, arrays, layer, f"{EXTRAS}{1 + part // 2}_Conv2d_{extra + 2}_{shape}_{out}", stride=stride)
        features.append(values)
    scores, offsets = [], []
    for number, (feature, kinds) in enumerate(zip(features, MOBILENET_KINDS, strict=True)):
        layer, name = f"predictors.{number}", f"BoxPredictor_{number}/"
        classes = arrays[f"{layer}.classification.weight"].shape[0] // kinds
        rows = feature.shape[1] * feature.shape[2] * kinds
        found = _layer(feature, arrays, f"{layer}.classification", f"{name}ClassPredictor", relu=False)
        scores.append(tf.reshape(found, [-1, rows, classes]))
        found = _layer(feature, arrays, f"{layer}.regression", f"{name}BoxEncodingPredictor", relu=False)
        offsets.append(tf.reshape(found, [-1, rows, 4]))
    return tf.concat(scores, 1), tf.concat(offsets, 1)


def _layer(values: tf.Tensor, arrays: Arrays, layer: str, name: str, *, stride: int = 1, relu: bool = True) -> tf.Tensor:
    """A convolution and the following operations."""
    kernel = arrays[f"{layer}.weight"].astype(np.float32)
    strides = [1, stride, stride, 1]
    with tf.name_scope(name + "/"):
        if layer.endswith("depthwise"):
            kernel = kernel * arrays[f"{layer}/BatchNorm.scale"].reshape(-1, 1, 1, 1)
            weights = tf.constant(kernel.transpose(2, 3, 0, 1), name="depthwise_weights")
            values = tf.nn.depthwise_conv2d(values, weights, strides, "SAME", name="depthwise")
        else:
            weights = tf.constant(kernel.transpose(2, 3, 1, 0), name="weights")
            values = tf.nn.conv2d(values, weights, strides, "SAME", name="Conv2D")
        values = tf.nn.bias_add(values, tf.constant(arrays[bias_name(layer)].astype(np.float32), name="biases"), name="BiasAdd")
        if relu:
            values = tf.nn.relu6(values, name="Relu6")
        return _rounded(values, arrays, range_name(layer))


def _rounded(values: tf.Tensor, arrays: Arrays, name: str) -> tf.Tensor:
    """Simulated 8-bit arithmetic, if there is a range for it."""
    if name not in arrays:
        return values
    step, zero = (float(number) for number in arrays[name])
    return tf.quantization.fake_quant_with_min_max_args(
        values, min=-zero * step, max=(255 - zero) * step, num_bits=8, name="act_quant"
    )


def _decoded(offsets: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """(batch, 1917, 4) offsets to corners ymin, xmin, ymax, xmax."""
    sizes = anchors[:, 2:]
    centre = offsets[..., :2] * sizes + anchors[:, :2]
    half = tf.exp(offsets[..., 2:]) * (sizes / 2)
    return tf.concat([centre - half, centre + half], -1, name="Postprocessor/Decode/corners")

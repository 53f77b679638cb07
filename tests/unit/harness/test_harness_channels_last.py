"""A channels-first graph gives the same answers after conversion to channels-last."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

tf = pytest.importorskip("tensorflow")
np = pytest.importorskip("numpy")

from object_detection.backends.channels_last import channels_last, is_channels_first  # noqa: E402

RNG = np.random.default_rng(0)


def weights(*shape: int) -> Any:
    return tf.constant(RNG.normal(size=shape).astype(np.float32))


def graph_of(body: Any) -> Any:
    """GraphDef of ``body(images)``, whose result is called `out`."""
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, 3, 12, 16], name="image")
        tf.identity(body(images), name="out")
    return graph.as_graph_def()


def run(definition: Any, images: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run("out:0", {"image:0": images})


def by_hand(images: Any, kernel: Any, stride: int, pads: tuple[int, int]) -> Any:
    """A channels-first convolution, which TensorFlow itself does not run on a CPU."""
    last = tf.pad(tf.transpose(images, [0, 2, 3, 1]), [[0, 0], [pads[0]] * 2, [pads[1]] * 2, [0, 0]])
    return tf.transpose(tf.nn.conv2d(last, kernel, stride, "VALID"), [0, 3, 1, 2]).numpy()


def test_convolution_with_strides_and_padding() -> None:
    kernel = weights(3, 3, 3, 5)
    pads = [[0, 0], [0, 0], [1, 1], [2, 2]]
    definition = graph_of(lambda x: tf.nn.conv2d(x, kernel.numpy(), [1, 1, 2, 2], pads, "NCHW"))
    assert is_channels_first(definition)
    rewritten = channels_last(definition, ["out", "image"])
    assert not is_channels_first(rewritten)
    images = RNG.normal(size=(2, 3, 12, 16)).astype(np.float32)
    assert np.allclose(run(rewritten, images), by_hand(images, kernel, 2, (1, 2)), atol=1e-4)


def test_operators_between_convolutions_need_no_transpose() -> None:
    one, two, bias, four = weights(3, 3, 3, 4), weights(3, 3, 4, 4), weights(4), [weights(4).numpy() for _ in range(3)]
    variance = np.abs(weights(4).numpy()) + 0.5

    def body(x: Any) -> Any:
        x = tf.nn.conv2d(x, one.numpy(), 1, "SAME", "NCHW")
        x = tf.nn.relu(tf.nn.bias_add(x, bias.numpy(), "NCHW"))
        inner = tf.compat.v1.nn.fused_batch_norm(
            tf.nn.conv2d(x, two.numpy(), 1, "SAME", "NCHW"), *four, variance, data_format="NCHW", is_training=False
        )[0]
        x = tf.nn.relu(inner + x)
        x = tf.pad(x, [[0, 0], [0, 0], [1, 1], [1, 1]])
        return tf.nn.max_pool2d(x, 3, 2, "VALID", "NCHW")

    def expected(images: Any) -> Any:
        x = tf.transpose(images, [0, 2, 3, 1])
        x = tf.nn.relu(tf.nn.conv2d(x, one, 1, "SAME") + bias)
        inner = tf.nn.conv2d(x, two, 1, "SAME")
        inner = tf.nn.batch_normalization(inner, four[2], variance, four[1], four[0], 1e-3)
        x = tf.pad(tf.nn.relu(inner + x), [[0, 0], [1, 1], [1, 1], [0, 0]])
        return tf.transpose(tf.nn.max_pool2d(x, 3, 2, "VALID"), [0, 3, 1, 2]).numpy()

    rewritten = channels_last(graph_of(body), ["out", "image"])
    assert Counter(node.op for node in rewritten.node)["Transpose"] == 2  # the first input and the last output
    images = RNG.normal(size=(2, 3, 12, 16)).astype(np.float32)
    assert np.allclose(run(rewritten, images), expected(images), atol=1e-3)


def test_shape_dependent_operators_get_original_layout() -> None:
    kernel = weights(1, 1, 3, 2)
    definition = graph_of(lambda x: tf.reshape(tf.nn.conv2d(x, kernel.numpy(), 1, "SAME", "NCHW"), [-1, 2, 12 * 16]))
    images = RNG.normal(size=(1, 3, 12, 16)).astype(np.float32)
    expected = by_hand(images, kernel, 1, (0, 0)).reshape(-1, 2, 12 * 16)
    assert np.allclose(run(channels_last(definition, ["out", "image"]), images), expected, atol=1e-4)


def test_unused_nodes_are_removed() -> None:
    kernel = weights(1, 1, 3, 2)

    def body(x: Any) -> Any:
        tf.identity(tf.nn.conv2d(x, kernel.numpy(), 1, "SAME", "NCHW"), name="unwanted")
        return tf.nn.conv2d(x, kernel.numpy(), 1, "SAME", "NCHW")

    names = {node.name for node in channels_last(graph_of(body), ["out", "image"]).node}
    assert "unwanted" not in names
    assert {"out", "image"} <= names


def test_graph_without_channels_first_is_reported() -> None:
    assert not is_channels_first(graph_of(tf.nn.relu))

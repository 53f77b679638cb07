"""Convert weights to a frozen TensorFlow graph, with the inputs and outputs of the benchmark's own graphs."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # noqa: E402: its log level is read when it is imported

from object_detection.convert import weights
from object_detection.convert.task import Task, main
from object_detection.models.networks import network_of

FILE = "frozen_inference_graph.pb"


def convert(task: Task) -> None:
    """Write frozen_inference_graph.pb."""
    arrays, metadata = weights.load(task.source)
    network = network_of(arrays, metadata, task.source)
    build = network.builder("tensorflow")
    graph = tf.Graph()
    with graph.as_default():
        build(arrays, metadata)
    (task.output / FILE).write_bytes(graph.as_graph_def().SerializeToString(deterministic=True))
    task.write_interface(**network.interface("tensorflow"), max_batch=None)


if __name__ == "__main__":
    main(convert)

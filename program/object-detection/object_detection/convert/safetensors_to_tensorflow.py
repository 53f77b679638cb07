"""A frozen graph of TensorFlow from a file of weights: SSD-MobileNet v1 or SSD-ResNet34, with the benchmark's inputs and outputs."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # noqa: E402: its log level is read when it is imported

from object_detection.convert import weights  # noqa: E402
from object_detection.convert.graph_mobilenet import mobilenet  # noqa: E402
from object_detection.convert.graph_resnet34 import resnet34  # noqa: E402
from object_detection.convert.task import Task, main  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402

_BUILDERS = {"ssd-mobilenet-v1": mobilenet, "ssd-resnet34-1200": resnet34}
FILE = "frozen_inference_graph.pb"


def convert(task: Task) -> None:
    """Write frozen_inference_graph.pb."""
    arrays, metadata = weights.load(task.source)
    architecture = metadata.get("architecture", "")
    if architecture not in _BUILDERS:
        raise HarnessError(f"{task.source} is of the network {architecture!r}", f"known: {', '.join(_BUILDERS)}")
    graph = tf.Graph()
    with graph.as_default():
        changes = _BUILDERS[architecture](arrays, metadata)
    (task.output / FILE).write_bytes(graph.as_graph_def().SerializeToString(deterministic=True))
    task.tell(**changes)


if __name__ == "__main__":
    main(convert)

"""Convert a frozen TensorFlow graph to ONNX with tf2onnx, like the published ONNX files; 8-bit ones get QuantizeLinear."""

from __future__ import annotations

from object_detection.backends.tensorflow import read_graph
from object_detection.convert.task import Task, main
from object_detection.errors import HarnessError

FILE = "model.onnx"
_OPSET = 13


def convert(task: Task) -> None:
    """Write model.onnx; inputs and outputs keep their names."""
    import tf2onnx.convert

    outputs = [name for name in task.model["outputs"].values() if name]
    definition = read_graph(task.source)
    nodes = {node.name for node in definition.node}
    missing = [name for name in [task.model["input"], *outputs] if name.partition(":")[0] not in nodes]
    if missing:
        raise HarnessError(f"{task.source} has no tensor {missing[0]}", "check that it is the frozen graph of this model")
    tf2onnx.convert.from_graph_def(
        definition,
        name="model",
        input_names=[task.model["input"]],
        output_names=outputs,
        opset=task.model.get("opset") or _OPSET,
        output_path=str(task.output / FILE),
    )
    task.tell(opset=task.model.get("opset") or _OPSET)


if __name__ == "__main__":
    main(convert)

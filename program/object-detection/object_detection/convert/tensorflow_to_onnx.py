"""ONNX from a graph of TensorFlow by tf2onnx, as the published ONNX files were made; 8-bit ones get QuantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from object_detection.backends.tensor_name import parse
from object_detection.backends.tensorflow import SAVED_MODEL, read_graph
from object_detection.convert.saved_model import frozen
from object_detection.convert.task import Task, main
from object_detection.errors import HarnessError
from object_detection.models.networks import known_networks

FILE = "model.onnx"
_OPSET = 13
_ROLES = ("boxes", "scores", "classes", "count", "objectness", "image")


def convert(task: Task) -> None:
    """Write model.onnx; inputs and outputs keep their names, those of a SavedModel the names of its signature."""
    import tf2onnx.convert

    if task.source.name == SAVED_MODEL:
        graph = frozen(task.source)
        definition, names = graph.definition, {**graph.inputs, **graph.outputs}
    else:
        definition, names = read_graph(task.source), {}
    nodes = {node.name for node in definition.node}
    given, outputs = task.model["input"], _outputs(task.model)
    missing = [name for name in (given, *outputs) if names.get(name, name).partition(":")[0] not in nodes]
    if missing:
        raise HarnessError(f"{task.source} has no tensor {missing[0]}", "is it the file of this model?")
    tf2onnx.convert.from_graph_def(
        definition,
        name="model",
        input_names=[names.get(given, given)],
        output_names=[names.get(name, name) for name in outputs],
        opset=task.model.get("opset") or _OPSET,
        tensors_to_rename={tensor: name for name, tensor in names.items()} or None,
        output_path=str(task.output / FILE),
    )
    task.write_interface(opset=task.model.get("opset") or _OPSET)


def _outputs(model: Mapping[str, Any]) -> list[str]:
    """Names of the outputs that a model's description has, or else its profile."""
    profiles = {name: row for network in known_networks().values() for name, row in network.profiles.items()}
    texts: Mapping[str, Any] = model.get("outputs") or profiles.get(str(model.get("profile")), {})
    return list(dict.fromkeys(parse(texts[role]).name for role in _ROLES if texts.get(role)))


if __name__ == "__main__":
    main(convert)

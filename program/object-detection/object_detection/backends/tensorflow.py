"""TensorFlow: frozen graphs and SavedModels, through the graph API of version 1 in version 2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read during the import
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from object_detection.backends import Array
from object_detection.backends.channels_last import channels_last, is_channels_first
from object_detection.backends.cuda import gpus, number_of
from object_detection.backends.interface import Outputs, check_input, fixed_batch, layout_of
from object_detection.backends.tensor_name import parse
from object_detection.errors import HarnessError
from object_detection.spec import Model

BACKEND = {
    "runs": "tensorflow",
    "default_for": ["tensorflow"],
    "deps": {
        "tensorflow": {"tags": ["lib", "python-package", "tensorflow-cpu"], "when": {"device": "cpu"}},
        "tensorflow-cuda": {"tags": ["lib", "python-package", "tensorflow-cuda"], "when": {"device": "cuda"}},
    },
    "also_called": ["tf", "tensorflow-cpu", "tensorflow-gpu"],
    "replaces": ["lib-tensorflow", "lib-python-tensorflow"],
    "python_packages": ["tensorflow", "tensorflow-cpu"],
    "submitted_as": ["tensorflow", "tf-nightly"],
    "submitted_model": "tf",
}

SAVED_MODEL, SIGNATURE = "saved_model.pb", "serving_default"


def version() -> str:
    """Version of TensorFlow."""
    return str(tf.__version__)


def devices() -> tuple[str, ...]:
    """Devices that TensorFlow can use here."""
    return ("cpu", *gpus(len(tf.config.list_physical_devices("GPU"))))


def load(model: Model, device: str, threads: int) -> TensorFlow:
    """Load a model.

    Parameters
    ----------
    threads
        Threads of the session; 0 lets TensorFlow choose their number.

    Raises
    ------
    HarnessError
        If TensorFlow cannot read the file, the file is not frozen or has no signature, or the file's inputs and outputs are not
        those of the model's interface.
    """
    return TensorFlow(model, device, threads)


class TensorFlow:
    """A session."""

    def __init__(self, model: Model, device: str, threads: int) -> None:
        gpu = number_of(device)
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads,
            inter_op_parallelism_threads=1,
            use_per_session_threads=True,
            device_count={"GPU": 0 if gpu is None else gpu + 1},
            allow_soft_placement=bool(gpu),  # parts of a graph that only run on the CPU
        )
        config.gpu_options.allow_growth = True
        graph = tf.Graph()
        session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            read = _saved_model if model.path.name == SAVED_MODEL else _frozen_graph
            with graph.as_default(), tf.device(f"/GPU:{gpu}" if gpu else None):
                self._outputs, given, wanted = read(model, device, graph, session)
        except (ValueError, OSError, RuntimeError, tf.errors.OpError) as error:
            of_folder = "copy the whole folder again: saved_model.pb, and variables/ with its files"
            raise HarnessError(
                f"{model.path} cannot be loaded by TensorFlow {version()}: {error}",
                of_folder if model.path.name == SAVED_MODEL else "download the model again",
            ) from error
        self._run = session.make_callable(wanted, [given])
        shape = given.shape.as_list() if given.shape.rank is not None else [None] * 4
        check_input(model, shape, given.dtype.name)
        self.fixed_batch = fixed_batch(shape)
        self.max_batch = self.fixed_batch or model.max_batch
        self.layout = layout_of(shape, model)
        self.threads = threads or (os.cpu_count() or 1)

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch."""
        return self._outputs.arranged([np.asarray(row) for row in self._run(images)], len(images))


def _frozen_graph(
    model: Model, device: str, graph: tf.Graph, session: tf.compat.v1.Session
) -> tuple[Outputs, tf.Tensor, list[tf.Tensor]]:
    """Import a frozen graph; return its outputs, and the input and output tensors."""
    definition = read_graph(model.path)
    inputs = [node.name + ":0" for node in definition.node if node.op == "Placeholder"]
    outputs = Outputs(model, inputs, _values(definition, model))
    if device == "cpu" and is_channels_first(definition):
        definition = channels_last(definition, [*outputs.wanted, *inputs])
    with graph.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    return outputs, graph.get_tensor_by_name(model.input), [graph.get_tensor_by_name(name) for name in outputs.wanted]


def _saved_model(
    model: Model, device: str, graph: tf.Graph, session: tf.compat.v1.Session
) -> tuple[Outputs, tf.Tensor, list[tf.Tensor]]:
    """Load a SavedModel; inputs and outputs have the names of its signature."""
    with graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(model.path.parent))
    if SIGNATURE not in loaded.signature_def:
        raise HarnessError(f"{model.path} has no signature {SIGNATURE}", f"export it with the signature {SIGNATURE}")
    signature = loaded.signature_def[SIGNATURE]
    outputs = Outputs(model, list(signature.inputs), sorted(signature.outputs))
    given = graph.get_tensor_by_name(signature.inputs[model.input].name)
    return outputs, given, [graph.get_tensor_by_name(signature.outputs[name].name) for name in outputs.wanted]


def read_graph(path: Path) -> tf.compat.v1.GraphDef:
    """Read a frozen graph."""
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise HarnessError(f"{path} is not a graph of TensorFlow: {error}", "download the model again") from error
    variables = [node.name for node in definition.node if node.op in ("VariableV2", "VarHandleOp")]
    if variables:
        raise HarnessError(f"{path} is not frozen: {variables[0]} is a variable without a value", "freeze the graph")
    return definition


def _values(definition: tf.compat.v1.GraphDef, model: Model) -> Sequence[str]:
    """Names of values that the graph may have: the file does not list the outputs of a node."""
    nodes = {node.name for node in definition.node}
    asked = (model.boxes, model.scores, model.classes, model.count, model.objectness, model.image)
    found = list(dict.fromkeys(name for text in asked if (name := parse(text).name) and name.partition(":")[0] in nodes))
    taken = {name.lstrip("^").partition(":")[0] for node in definition.node for name in node.input}
    return [*found, *(f"{name}:0" for name in sorted(nodes - taken) if f"{name}:0" not in found)]

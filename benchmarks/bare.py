"""The limit: a framework's own session, called directly."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from object_detection.spec import Model

Run = Callable[[np.ndarray], Any]


def session(model: Model, threads: int) -> Run:
    """A function that runs a batch in a session of the model's framework."""
    return _SESSIONS[model.backend](model, threads)


def _onnxruntime(model: Model, threads: int) -> Run:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    alone = ort.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
    return lambda images: alone.run(None, {model.input: images})


def _openvino(model: Model, threads: int) -> Run:
    import openvino as ov

    hints = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
    compiled = ov.Core().compile_model(str(model.path), "CPU", {**hints, "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda images: request.infer([images])


def _tensorflow(model: Model, threads: int) -> Run:
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(Path(model.path).read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1, use_per_session_threads=True
    )
    alone = tf.compat.v1.Session(graph=graph, config=config)
    wanted = [name for name in (model.boxes, model.scores, model.classes, model.count) if name]
    return lambda images: alone.run(wanted, {model.input: images})


def _tflite(model: Model, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    alone = Interpreter(model_path=str(model.path), num_threads=threads)
    alone.allocate_tensors()
    given, wanted = alone.get_input_details()[0]["index"], [row["index"] for row in alone.get_output_details()]

    def run(images: np.ndarray) -> Any:
        alone.set_tensor(given, images)
        alone.invoke()
        return [alone.get_tensor(index) for index in wanted]

    return run


def _torch(model: Model, threads: int) -> Run:
    import torch
    from object_detection.models.load import load_network

    network: Any = load_network(model.path)
    network.to(memory_format=torch.channels_last)

    def run(images: np.ndarray) -> Any:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return network(torch.from_numpy(images).permute(0, 3, 1, 2).float())

    return run


_SESSIONS = {
    "onnxruntime": _onnxruntime, "openvino": _openvino, "tensorflow": _tensorflow, "tflite": _tflite, "torch": _torch,
}  # fmt: skip

"""OpenVINO, which also reads ONNX files."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino as ov

from object_detection.backends import NO_OPTIONS, Array
from object_detection.backends.interface import Outputs, check_input, fixed_batch, input_sizes, layout_of
from object_detection.backends.tensor_name import parse
from object_detection.errors import HarnessError
from object_detection.spec import Model

BACKEND = {
    "runs": "openvino",
    "default_for": ["openvino"],
    "deps": {"openvino": {"tags": ["lib", "python-package", "openvino"]}},
    "python_packages": ["openvino"],
    "submitted_as": ["openvino"],
    "submitted_model": "onnx",
    "part_of": ["onnxruntime", "tensorflow", "torch"],
    "options": {
        "hint": {
            "help": "what OpenVINO optimizes its threads for (default latency)",
            "values": ["latency", "throughput"],
            "default": "latency",
            "search": ["latency", "throughput"],
        },
        "streams": {
            "help": "streams of a session (default 1)",
            "minimum": 1,
            "maximum": 1024,
            "default": "1",
            "search": ["1", "2"],
        },
        "precision": {
            "help": "precision of computation; values other than f32 change the detections (default f32)",
            "values": ["f32", "bf16", "f16"],
            "default": "f32",
            "search": ["f32", "bf16"],
        },
        "pinning": {
            "help": "whether to bind threads to cores (default: OpenVINO decides)",
            "values": ["yes", "no"],
            "search": ["yes", "no"],
        },
    },
}

# The first use of a type fills a table inside OpenVINO's Python bindings. Two threads that do so at the same time deadlock: one
# holds the interpreter's lock, the other the table's. Modules are imported by one thread, so do it here.
_TABLE_IS_FILLED = ov.Type.f32.to_dtype()


def version() -> str:
    """Version of OpenVINO."""
    return str(ov.__version__).partition("-")[0]


def devices() -> tuple[str, ...]:
    """Available devices."""
    return ("cpu",)


def load(model: Model, device: str, threads: int, options: Mapping[str, str] = NO_OPTIONS) -> OpenVino:
    """Load a model.

    Parameters
    ----------
    threads
        Threads of the session; 0 lets OpenVINO choose their number.
    options
        Values of the options in `BACKEND`, which the engine has checked.

    Raises
    ------
    HarnessError
        If OpenVINO cannot read the file, or the file's inputs and outputs are not those of the model's interface.
    """
    return OpenVino(model, device, threads, options)


class OpenVino:
    """A compiled model with one inference request."""

    def __init__(self, model: Model, device: str, threads: int, chosen: Mapping[str, str]) -> None:
        settings: dict[str, str | int | bool] = {
            "PERFORMANCE_HINT": chosen.get("hint", "latency").upper(),  # parallel sessions are managed by the harness
            "NUM_STREAMS": int(chosen.get("streams", "1")),
            # some processors would use bfloat16 by default, which changes the detections
            "INFERENCE_PRECISION_HINT": chosen.get("precision", "f32"),
        }
        if "pinning" in chosen:
            settings["ENABLE_CPU_PINNING"] = chosen["pinning"] == "yes"
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            network = ov.Core().read_model(str(model.path))
            compiled = ov.Core().compile_model(network, "CPU", settings)
        except RuntimeError as error:
            raise HarnessError(f"{model.path} cannot be loaded by OpenVINO {version()}: {error}") from error
        wanted = (model.input, model.size_input)
        inputs = {next((name for name in wanted if name in row.get_names()), _name(row)): row for row in network.inputs}
        self._outputs = Outputs(model, inputs, _output_names(network, model))
        self._request = compiled.create_infer_request()
        self._model = model
        given = inputs[model.input]
        shape = [None if size.is_dynamic else size.get_length() for size in given.get_partial_shape()]
        check_input(model, shape, str(given.get_element_type().to_dtype()))
        self.fixed_batch = fixed_batch(shape)
        self.max_batch = self.fixed_batch or model.max_batch
        self.layout = layout_of(shape, model)
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch."""
        if self._model.size_input:
            given = {self._model.input: images, self._model.size_input: input_sizes(self._model, images)}
            self._request.infer(given, share_inputs=True)
        else:
            self._request.infer([images], share_inputs=True)
        return self._outputs.arranged(
            [np.array(self._request.get_tensor(name).data) for name in self._outputs.wanted], len(images)
        )


def _name(port: ov.Output) -> str:
    """The name of an input or output; without one, that of its node."""
    names = port.get_names()
    return min(names) if names else str(port.get_node().get_friendly_name())


def _output_names(network: ov.Model, model: Model) -> list[str]:
    """Names of the outputs in the file's order, as in the interface."""
    asked = {
        parse(text).name for text in (model.boxes, model.scores, model.classes, model.count, model.objectness, model.image)
    }
    return [next((name for name in row.get_names() if name in asked), _name(row)) for row in network.outputs]

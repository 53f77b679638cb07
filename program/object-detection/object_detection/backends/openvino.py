"""OpenVINO, which reads ONNX files itself."""

from __future__ import annotations

import numpy as np
import openvino as ov

from object_detection.backends import Array
from object_detection.backends.interface import in_batches, layout_of, wanted_outputs
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
}

# The first use of a type fills a table inside OpenVINO's Python bindings. Two threads that do so at the same time wait for each
# other for ever: one has the interpreter's lock, the other the table's. Modules are imported by one thread.
_TABLE_IS_FILLED = ov.Type.f32.to_dtype()


def version() -> str:
    """Version of OpenVINO."""
    return str(ov.__version__).partition("-")[0]


def devices() -> tuple[str, ...]:
    """Where this backend runs."""
    return ("cpu",)


def load(model: Model, device: str, threads: int) -> OpenVino:
    """Load a model; `threads` 0 leaves the number to OpenVINO."""
    return OpenVino(model, device, threads)


class OpenVino:
    """A compiled model with one request in flight."""

    def __init__(self, model: Model, device: str, threads: int) -> None:
        settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",  # sessions side by side are ours to choose
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",  # some processors would round to bfloat16, and the answers would differ
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            network = ov.Core().read_model(str(model.path))
            compiled = ov.Core().compile_model(network, "CPU", settings)
        except RuntimeError as error:
            raise HarnessError(f"{model.path} cannot be loaded by OpenVINO {version()}: {error}") from error
        inputs = [row.get_any_name() for row in network.inputs]
        outputs = {name for row in network.outputs for name in row.get_names()}
        self._wanted = wanted_outputs(model, inputs, outputs)
        self._request = compiled.create_infer_request()
        shape = [None if size.is_dynamic else size.get_length() for size in network.inputs[0].get_partial_shape()]
        self.max_batch = shape[0] or model.max_batch
        self.layout = layout_of(shape, model)
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch."""
        self._request.infer([images], share_inputs=True)
        found = [np.array(self._request.get_tensor(name).data) for name in self._wanted]
        return in_batches(found)

"""ONNX Runtime."""

from __future__ import annotations

import onnxruntime as ort

from object_detection.backends import Array
from object_detection.backends.interface import Outputs, check_input, fixed_batch, input_sizes, layout_of
from object_detection.errors import HarnessError
from object_detection.spec import Model

ort.disable_telemetry_events()  # nothing is told to anybody, nor written into the user's home
_PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
# ONNX Runtime's names of types, and NumPy's
_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}

BACKEND = {
    "runs": "onnx",
    "default_for": ["onnx"],
    "deps": {
        "onnxruntime": {
            "tags": ["lib", "python-package", "onnxruntime-cpu"],
            "when": {"device": "cpu"},
            "also": ["lib-python-onnxruntime"],
        },
        "onnxruntime-cuda": {"tags": ["lib", "python-package", "onnxruntime-cuda"], "when": {"device": "cuda"}},
    },
    "also_called": ["onnx", "ort"],
    "python_packages": ["onnxruntime", "onnxruntime-gpu"],
    "submitted_as": ["onnxruntime", "onnx runtime", "onnx run-time"],
    "submitted_model": "onnx",
}


def version() -> str:
    """Version of ONNX Runtime."""
    return str(ort.__version__)


def devices() -> tuple[str, ...]:
    """Where ONNX Runtime can run here."""
    have = ort.get_available_providers()
    return tuple(device for device, providers in _PROVIDERS.items() if providers[0] in have)


def load(model: Model, device: str, threads: int) -> OnnxRuntime:
    """Load a model; `threads` 0 leaves the number to ONNX Runtime."""
    return OnnxRuntime(model, device, threads)


class OnnxRuntime:
    """A session of ONNX Runtime."""

    def __init__(self, model: Model, device: str, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(model.path), options, providers=_PROVIDERS[device])
        except Exception as error:  # ONNX Runtime's own exceptions have no common base but this
            raise HarnessError(
                f"{model.path} cannot be loaded by ONNX Runtime {version()}: {error}", "fetch or export the model again"
            ) from error
        if self._session.get_providers()[0] != _PROVIDERS[device][0]:  # it falls back to the CPU and only logs it
            raise HarnessError(f"ONNX Runtime {version()} cannot use {device} here", "use --device=cpu, or fix the driver")
        self._model = model
        inputs = {row.name: row for row in self._session.get_inputs()}
        self._outputs = Outputs(model, inputs, [row.name for row in self._session.get_outputs()])
        shape = inputs[model.input].shape
        check_input(model, shape, _TYPES.get(inputs[model.input].type, inputs[model.input].type))
        self.fixed_batch = fixed_batch(shape)
        self.max_batch = self.fixed_batch or model.max_batch
        self.layout = layout_of(shape, model)
        self.threads = threads

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch."""
        given = {self._model.input: images}
        if self._model.size_input:
            given[self._model.size_input] = input_sizes(self._model, images)
        return self._outputs.arranged(self._session.run(self._outputs.wanted, given), len(images))

"""ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping

import onnxruntime as ort

from object_detection.backends import NO_OPTIONS, Array
from object_detection.backends.cuda import gpus, number_of, visible
from object_detection.backends.interface import Outputs, check_input, fixed_batch, input_sizes, layout_of
from object_detection.errors import HarnessError
from object_detection.spec import Model

ort.disable_telemetry_events()  # disable telemetry, and files in the user's home
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# types of ONNX Runtime and NumPy
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
    "options": {
        "graph_level": {
            "help": "optimizations of the graph (default all)",
            "values": ["disable", "basic", "extended", "all"],
            "default": "all",
            "search": ["extended", "all"],
        },
        "execution_mode": {
            "help": "whether to run branches of the graph in parallel (default sequential)",
            "values": ["sequential", "parallel"],
            "default": "sequential",
            "search": ["sequential", "parallel"],
        },
        "inter_op_threads": {
            "help": "branches of the graph that run at the same time (default 1, in parallel mode 2)",
            "minimum": 1,
            "maximum": 1024,
        },
        "spinning": {
            "help": "whether idle threads spin while they wait (default yes)",
            "values": ["yes", "no"],
            "default": "yes",
            "search": ["yes", "no"],
        },
        "arena": {
            "help": "whether to keep memory for later runs (default yes)",
            "values": ["yes", "no"],
            "default": "yes",
            "search": ["yes", "no"],
        },
    },
}
_LEVELS = {
    "disable": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def version() -> str:
    """Version of ONNX Runtime."""
    return str(ort.__version__)


def devices() -> tuple[str, ...]:
    """Devices that ONNX Runtime can use here."""
    return ("cpu", *(gpus(visible()) if _CUDA in ort.get_available_providers() else ()))


def load(model: Model, device: str, threads: int, options: Mapping[str, str] = NO_OPTIONS) -> OnnxRuntime:
    """Load a model.

    Parameters
    ----------
    threads
        Threads of the session; 0 lets ONNX Runtime choose their number.
    options
        Values of the options in `BACKEND`, which the engine has checked.

    Raises
    ------
    HarnessError
        If ONNX Runtime cannot read the file or use the device, or the file's inputs and outputs are not those of the model's
        interface.
    """
    return OnnxRuntime(model, device, threads, options)


def _providers(device: str) -> list[tuple[str, dict[str, str]]]:
    gpu = number_of(device)
    return [(_CPU, {})] if gpu is None else [(_CUDA, {"device_id": str(gpu)}), (_CPU, {})]


class OnnxRuntime:
    """A session of ONNX Runtime."""

    def __init__(self, model: Model, device: str, threads: int, chosen: Mapping[str, str]) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        parallel = chosen.get("execution_mode") == "parallel"
        options.inter_op_num_threads = int(chosen.get("inter_op_threads", "2" if parallel else "1"))
        options.graph_optimization_level = _LEVELS[chosen.get("graph_level", "all")]
        if parallel:
            options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
        options.enable_cpu_mem_arena = chosen.get("arena", "yes") == "yes"
        if chosen.get("spinning") == "no":
            for pool in ("intra_op", "inter_op"):
                options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(model.path), options, providers=_providers(device))
        except Exception as error:  # ONNX Runtime's exceptions have no other common base
            raise HarnessError(
                f"{model.path} cannot be loaded by ONNX Runtime {version()}: {error}", "download or export the model again"
            ) from error
        if self._session.get_providers()[0] != _providers(device)[0][0]:  # it falls back to the CPU and only logs that
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

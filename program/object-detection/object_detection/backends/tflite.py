"""TensorFlow Lite, through LiteRT."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version as version_of

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from object_detection.backends import NO_OPTIONS, Array
from object_detection.backends.interface import Outputs, check_input, fixed_batch, layout_of
from object_detection.errors import HarnessError
from object_detection.spec import Model

BACKEND = {
    "runs": "tflite",
    "default_for": ["tflite"],
    "deps": {"tflite": {"tags": ["lib", "python-package", "tflite"]}},
    "also_called": ["litert"],
    "replaces": ["lib-python-tflite"],
    "python_packages": ["ai-edge-litert"],
    "submitted_as": ["tflite", "tensorflow-lite", "tensorflow lite", "litert"],
    "submitted_model": "tflite",
    "part_of": ["tensorflow"],
    "options": {
        "xnnpack": {
            "help": "whether to use XNNPACK, which `--threads` applies to, where possible (default yes)",
            "values": ["yes", "no"],
            "default": "yes",
            "search": ["yes", "no"],
        },
    },
}
_KERNELS = {"yes": OpResolverType.AUTO, "no": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}


def version() -> str:
    """Version of LiteRT."""
    return version_of("ai-edge-litert")


def devices() -> tuple[str, ...]:
    """Available devices."""
    return ("cpu",)


def load(model: Model, device: str, threads: int, options: Mapping[str, str] = NO_OPTIONS) -> TFLite:
    """Load a model.

    Parameters
    ----------
    threads
        Threads of the session; 0 lets LiteRT choose their number.
    options
        Values of the options in `BACKEND`, which the engine has checked.

    Raises
    ------
    HarnessError
        If LiteRT cannot read the file, or the file's inputs and outputs are not those of the model's interface.
    """
    return TFLite(model, device, threads, options)


class TFLite:
    """An interpreter; its batch size is that of the file."""

    def __init__(self, model: Model, device: str, threads: int, chosen: Mapping[str, str]) -> None:
        try:
            self._interpreter = Interpreter(
                model_path=str(model.path),
                num_threads=threads or None,
                experimental_op_resolver_type=_KERNELS[chosen.get("xnnpack", "yes")],
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise HarnessError(f"{model.path} cannot be loaded by LiteRT {version()}: {error}") from error
        inputs = {row["name"]: row for row in self._interpreter.get_input_details()}
        outputs = {row["name"]: row["index"] for row in self._interpreter.get_output_details()}
        self._outputs = Outputs(model, inputs, list(outputs))
        self._input = inputs[model.input]["index"]
        self._wanted = [outputs[name] for name in self._outputs.wanted]
        shape = [int(size) for size in inputs[model.input]["shape"]]
        check_input(model, shape, np.dtype(inputs[model.input]["dtype"]).name)
        self.fixed_batch = fixed_batch(shape)
        self.max_batch: int | None = self.fixed_batch or model.max_batch
        self.layout = layout_of(shape, model)
        self.threads = threads

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch."""
        self._interpreter.set_tensor(self._input, images)
        self._interpreter.invoke()
        return self._outputs.arranged([np.asarray(self._interpreter.get_tensor(index)) for index in self._wanted], len(images))

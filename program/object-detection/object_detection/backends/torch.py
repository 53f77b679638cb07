"""PyTorch, with this project's networks and weights from a file that only has tensors."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from object_detection.backends import NO_OPTIONS, Array
from object_detection.backends.cuda import gpus
from object_detection.backends.interface import padded
from object_detection.errors import HarnessError
from object_detection.models.detector import Detector
from object_detection.models.int8.network import exact_weights, quantize
from object_detection.models.int8.ranges import observe
from object_detection.models.int8.trace import trace
from object_detection.models.load import load_network
from object_detection.spec import Model

_TRACING = threading.Lock()  # while torch.fx traces a network it changes how modules are called, in all threads

BACKEND = {
    "runs": "safetensors",
    "default_for": ["pytorch", "safetensors"],
    "deps": {
        "safetensors": {"tags": ["lib", "python-package", "safetensors"]},
        "torch": {"tags": ["lib", "python-package", "torch"]},
    },
    "also_called": ["pytorch"],
    "replaces": ["lib-python-torch"],
    "python_packages": ["torch"],
    "submitted_as": ["pytorch"],
    "submitted_model": "pytorch",
    "options": {
        "channels_last": {
            "help": "whether to store tensors with channels last (default yes)",
            "values": ["yes", "no"],
            "default": "yes",
            "search": ["yes", "no"],
        },
        "precision": {
            "help": "of convolutions; bf16 and int8 change the detections, int8 is calibrated with images (default f32)",
            "values": ["f32", "bf16", "int8"],
            "default": "f32",
            "search": ["f32", "bf16", "int8"],
            "calibrated": ["int8"],
        },
        "compile": {
            "help": "whether torch.compile compiles the network, which takes up to minutes and a C++ compiler (default no)",
            "values": ["yes", "no"],
            "default": "no",
        },
    },
}


def version() -> str:
    """Version of PyTorch."""
    return str(torch.__version__)


def devices() -> tuple[str, ...]:
    """Devices that PyTorch can use here."""
    return ("cpu", *(gpus(torch.cuda.device_count()) if torch.cuda.is_available() else ()))


def load(
    model: Model,
    device: str,
    threads: int,
    options: Mapping[str, str] = NO_OPTIONS,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Torch:
    """Load a model.

    Parameters
    ----------
    threads
        Threads of an operation; 0 lets PyTorch choose their number.
    options
        Values of the options in `BACKEND`, which the engine has checked.
    ranges
        Of a calibration, for int8; without them a model for int8 still computes in float32.

    Raises
    ------
    HarnessError
        If the file does not have the weights of a network that is declared, ``compile`` is chosen without a C++ compiler, or
        the network or the machine has no 8-bit form.
    """
    with _TRACING if options.get("precision") == "int8" else nullcontext():
        return Torch(model, device, threads, options, ranges)


def calibrate(model: Model, threads: int, images: Iterator[Array]) -> dict[str, tuple[float, float]]:
    """The ranges of values between convolutions.

    Parameters
    ----------
    images
        Inputs in batches of one, in the model's layout and type.
    """
    network = load_network(model.path)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks the keyword
    if threads:
        torch.set_num_threads(threads)
    with torch.inference_mode():
        return observe(trace(network), (_given(each, model.layout, torch.channels_last) for each in images))


class Torch:
    """A network."""

    def __init__(
        self,
        model: Model,
        device: str,
        threads: int,
        chosen: Mapping[str, str],
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self._network = load_network(model.path).to(device)
        self._format = torch.channels_last if chosen.get("channels_last", "yes") == "yes" else torch.contiguous_format
        self._network.to(memory_format=self._format)  # type: ignore[call-overload]  # its stub lacks the keyword
        if chosen.get("precision") == "int8":
            self._format = torch.channels_last  # that of 8-bit convolutions
            _in_int8(self._network, device, chosen, ranges)
        if chosen.get("compile") == "yes":
            _compile(self._network)
        if chosen.get("precision") == "bf16":
            _in_bfloat16(self._network)
        self._device = torch.device(device)
        if ranges is not None and model.size:  # oneDNN arranges the weights for the size of the images
            with torch.inference_mode():
                self._network.heads(torch.zeros((1, 3, *model.size)).contiguous(memory_format=self._format))
        self.threads = threads or torch.get_num_threads()
        self._corners = [0, 1, 2, 3] if model.box_order == self._network.box_order else [1, 0, 3, 2]
        self.max_batch = model.max_batch
        self.layout = model.layout

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch."""
        if torch.get_num_threads() != self.threads:  # a setting of the calling thread
            torch.set_num_threads(self.threads)
        with torch.inference_mode():
            found = self._network(_given(images, self.layout, self._format, self._device))
        rows = [
            (boxes.cpu().numpy()[:, self._corners], scores.cpu().numpy(), kinds.cpu().numpy()) for boxes, scores, kinds in found
        ]
        return padded(rows)


def _given(images: Array, layout: str, order: torch.memory_format, device: torch.device | str = "cpu") -> Tensor:
    """The input of a network for a batch."""
    given = torch.from_numpy(images).to(device)
    if layout == "NHWC":
        given = given.permute(0, 3, 1, 2)
    return given.float().contiguous(memory_format=order)


def _compile(network: Detector) -> None:
    """Have the network's heads compiled by their first run; of the selection of detections there is little to gain."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise HarnessError(
            f"--backend.compile=yes needs a C++ compiler, and there is no {compiler}",
            "install one (Debian: `apt install g++`), or name another in the variable CXX",
        )
    compiled = torch.compile(network.heads)

    def heads(images: Tensor) -> tuple[Tensor, Tensor]:
        if len(images) > 1:  # one compilation for all of them, so that the last batch of a run needs none
            torch._dynamo.maybe_mark_dynamic(images, 0)
        found: tuple[Tensor, Tensor] = compiled(images)
        return found

    network.heads = heads  # type: ignore[method-assign]


def _in_int8(
    network: Detector, device: str, chosen: Mapping[str, str], ranges: Mapping[str, tuple[float, float]] | None
) -> None:
    """Have convolutions compute in 8 bits; without ranges, only check whether they can.

    Raises
    ------
    HarnessError
        If device, other options, the network or this build of PyTorch do not allow it.
    """
    if device != "cpu":
        raise HarnessError(f"--backend.precision=int8 is for --device=cpu, and this run uses {device}", "use bf16")
    if chosen.get("compile") == "yes":
        raise HarnessError("--backend.precision=int8 and --backend.compile=yes exclude each other", "omit one of them")
    if ranges is None:
        trace(network)
        exact_weights()
    else:
        quantize(network, ranges)


def _in_bfloat16(network: Detector) -> None:
    """Have convolutions compute in bfloat16; everything behind the heads stays as it is."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(torch.bfloat16)
    plain = network.heads

    def heads(images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(images.device.type, torch.bfloat16):
            scores, offsets = plain(images)
        return scores.float(), offsets.float()

    network.heads = heads  # type: ignore[method-assign]

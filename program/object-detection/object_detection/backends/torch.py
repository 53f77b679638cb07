"""PyTorch, with this project's networks and weights from a file that only has tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from object_detection.backends import NO_OPTIONS, Array
from object_detection.backends.interface import padded
from object_detection.models.load import load_network
from object_detection.spec import Model

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
            "search": ["yes", "no"],
        },
    },
}


def version() -> str:
    """Version of PyTorch."""
    return str(torch.__version__)


def devices() -> tuple[str, ...]:
    """Devices that PyTorch can use here."""
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def load(model: Model, device: str, threads: int, options: Mapping[str, str] = NO_OPTIONS) -> Torch:
    """Load a model; with `threads` 0 PyTorch chooses their number."""
    return Torch(model, device, threads, options)


class Torch:
    """A network."""

    def __init__(self, model: Model, device: str, threads: int, chosen: Mapping[str, str]) -> None:
        self._network = load_network(model.path).to(device)
        self._format = torch.channels_last if chosen.get("channels_last", "yes") == "yes" else torch.contiguous_format
        self._network.to(memory_format=self._format)  # type: ignore[call-overload]  # its stub lacks the keyword
        self._device = torch.device(device)
        self.threads = threads or torch.get_num_threads()
        self._channels_last = model.layout == "NHWC"
        self._corners = [0, 1, 2, 3] if model.box_order == self._network.box_order else [1, 0, 3, 2]
        self.max_batch = model.max_batch
        self.layout = model.layout

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch."""
        if torch.get_num_threads() != self.threads:  # a setting of the calling thread
            torch.set_num_threads(self.threads)
        with torch.inference_mode():
            given = torch.from_numpy(images).to(self._device)
            if self._channels_last:
                given = given.permute(0, 3, 1, 2)
            found = self._network(given.float().contiguous(memory_format=self._format))
        rows = [
            (boxes.cpu().numpy()[:, self._corners], scores.cpu().numpy(), kinds.cpu().numpy()) for boxes, scores, kinds in found
        ]
        return padded(rows)

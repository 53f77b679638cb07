"""Frameworks behind one interface. A third party adds one by an entry point of the group `ck_repo.backends`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
import numpy.typing as npt

from object_detection.errors import HarnessError
from object_detection.spec import Model

Array = npt.NDArray[np.generic]
GROUP = "ck_repo.backends"
_OWN = {name: f"object_detection.backends.{name}" for name in ("onnxruntime", "openvino", "tflite")}


class Backend(Protocol):
    """A model that is loaded and ready. Several threads do not call one backend at once."""

    @property
    def max_batch(self) -> int | None:
        """The largest batch that it takes; None for any."""

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch.

        Parameters
        ----------
        images
            (batch, …) as the model's layout and dtype have it.

        Returns
        -------
        boxes, scores, classes, counts
            (batch, rows, 4), (batch, rows), (batch, rows), and (batch,) or None where every row counts.
        """


Maker = Callable[[Model, str, int], Backend]


def maker(name: str) -> tuple[Maker, Callable[[], str]]:
    """The function that loads a model (model, device, threads; 0 for the framework's own choice), and the one that tells the
    framework's version."""
    if name in _OWN:
        try:
            module = import_module(_OWN[name])
        except ImportError as error:
            raise HarnessError(
                f"the backend {name} cannot be loaded: {error}", f"`ck install package --tags=lib,python-package,{name}`"
            ) from error
        return module.load, module.version
    found = {row.name: row for row in entry_points(group=GROUP)}
    if name not in found:
        raise HarnessError(f"there is no backend {name!r}", f"known: {', '.join(sorted({*_OWN, *found}))}")
    module = found[name].load()
    return module.load, module.version

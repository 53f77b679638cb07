"""Frameworks behind one interface: ours and those of third parties are modules of the entry-point group `ck_repo.backends`.

A module's constant `BACKEND` declares what the engine has to know of it: a dictionary of literals, which the engine reads
without importing the module (docs/components.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from object_detection.errors import HarnessError
from object_detection.spec import Model

Array = npt.NDArray[np.generic]
GROUP = "ck_repo.backends"
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


class Backend(Protocol):
    """A model that is loaded and ready. Several threads do not call one backend at once.

    Attributes
    ----------
    max_batch
        The largest batch that it takes; None for any.
    threads
        With how many it computes; 0 where the framework does not tell.
    layout
        ``NHWC`` or ``NCHW``: of the images that it takes.
    """

    max_batch: int | None
    threads: int
    layout: str

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


class Framework(Protocol):
    """A backend's module."""

    def load(self, model: Model, device: str, threads: int) -> Backend:
        """Load a model; `threads` 0 leaves the number to the framework.

        A backend that declares options gets those that the user chose as the keyword `options`, a mapping of texts.
        """

    def version(self) -> str:
        """The framework's version."""

    def devices(self) -> Sequence[str]:
        """Where it can run here: ``cpu``, ``cuda``."""


class _Configured:
    """A backend's module with the options that the user chose."""

    def __init__(self, module: Framework, options: Mapping[str, str]) -> None:
        self._module, self._options = module, options
        self.version, self.devices = module.version, module.devices

    def load(self, model: Model, device: str, threads: int) -> Backend:
        """Load a model with the options."""
        return self._module.load(model, device, threads, options=self._options)  # type: ignore[call-arg]


def framework(name: str, device: str, options: Mapping[str, str] = NO_OPTIONS) -> Framework:
    """The backend of that name; one that is not installed, or cannot use the device, is an error.

    Parameters
    ----------
    options
        Of the backend, as its module declares them; the engine has checked them.
    """
    module = _module(name)
    if device not in module.devices():
        raise HarnessError(
            f"{name} {module.version()} cannot use {device} here: it offers {', '.join(module.devices())}",
            "use --device=cpu, or a build of the framework for the device, on a machine that has one",
        )
    return _Configured(module, options) if options else module


def _module(name: str) -> Framework:
    found = {row.name: row for row in reversed(list(entry_points(group=GROUP)))}  # the first on the search path counts
    try:
        if name in found:
            return cast(Framework, found[name].load())
    except ImportError as error:
        raise HarnessError(
            f"the backend {name} cannot be loaded: {error}", f"`ck install package --tags=lib,python-package,{name}`"
        ) from error
    raise HarnessError(f"there is no backend {name!r}", f"known: {', '.join(sorted(found))}")

"""Frameworks with one interface: our backends and third-party ones are modules of the entry-point group `ck_repo.backends`.

The constant `BACKEND` of a module declares what the engine needs: a dictionary of literals, which the engine reads without
importing the module (docs/components.md).
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
    """A loaded model. Several threads do not call one backend at the same time.

    Attributes
    ----------
    max_batch
        The maximum batch size; None for any.
    threads
        Number of threads; 0 if unknown.
    layout
        ``NHWC`` or ``NCHW``: layout of the input images.
    """

    max_batch: int | None
    threads: int
    layout: str

    def run(self, images: Array) -> tuple[Array, Array, Array, Array | None]:
        """Run a batch.

        Parameters
        ----------
        images
            (batch, …) in the model's layout and dtype.

        Returns
        -------
        boxes, scores, classes, counts
            (batch, detections, 4), (batch, detections), (batch, detections), and (batch,) or None if all detections count.
        """


class Framework(Protocol):
    """A backend's module."""

    def load(self, model: Model, device: str, threads: int) -> Backend:
        """Load a model.

        A backend that declares options gets the user's as the keyword `options`, a mapping of strings. With a value that is
        calibrated, the model is loaded once without `ranges`, then the module's ``calibrate(model, threads, images)`` gets
        inputs in batches of one and returns ranges by name, and further models are loaded with these as the keyword `ranges`.

        Parameters
        ----------
        device
            One of `devices`.
        threads
            Threads of a session; 0 for the framework's choice.

        Raises
        ------
        HarnessError
            If the file is not a model, does not match the interface, or the device is not available.
        """

    def version(self) -> str:
        """The framework's version."""

    def devices(self) -> Sequence[str]:
        """Available devices: ``cpu``; ``cuda``, the first GPU; ``cuda:1`` and so on, further ones."""


class _Configured:
    """A backend's module with the user's options, and the ranges of a calibration."""

    def __init__(self, module: Framework, options: Mapping[str, str], ranges: Mapping[str, tuple[float, float]] | None) -> None:
        self._module = module
        self._more = {"options": options, **({} if ranges is None else {"ranges": ranges})}
        self.version, self.devices = module.version, module.devices
        self.calibrate = getattr(module, "calibrate", None)

    def load(self, model: Model, device: str, threads: int) -> Backend:
        """Load a model with these options."""
        return self._module.load(model, device, threads, **self._more)


def framework(
    name: str,
    device: str,
    options: Mapping[str, str] = NO_OPTIONS,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Framework:
    """The backend of that name; an error if it is not installed, or cannot use the device.

    Parameters
    ----------
    options
        Options of the backend, as its module declares them; the engine has checked them.
    ranges
        Of a calibration, for an option that needs one. Without them the model is loaded before the calibration.

    Raises
    ------
    HarnessError
        If there is no such backend, it cannot be imported, or it cannot use the device.
    """
    module = _module(name)
    if device not in module.devices():
        raise HarnessError(
            f"{name} {module.version()} cannot use {device} here; available: {', '.join(module.devices())}",
            "use --device=cpu, or a build of the framework for the device, on a machine that has one",
        )
    return _Configured(module, options, ranges) if options else module


def _module(name: str) -> Framework:
    found = {row.name: row for row in reversed(list(entry_points(group=GROUP)))}  # the first one on the search path is used
    try:
        if name in found:
            return cast(Framework, found[name].load())
    except ImportError as error:
        raise HarnessError(
            f"the backend {name} cannot be loaded: {error}", f"`ck install package --tags=lib,python-package,{name}`"
        ) from error
    raise HarnessError(f"there is no backend {name!r}", f"known: {', '.join(sorted(found))}")

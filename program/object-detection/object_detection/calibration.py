"""Calibrate a backend: inputs of some images show the ranges of values, which are kept for the next run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from object_detection.annotations import read_images
from object_detection.backends import Array, Framework
from object_detection.contract.results import Calibrated
from object_detection.contract.spec import Calibration
from object_detection.errors import HarnessError
from object_detection.image_cache import locked
from object_detection.prepared import PreparedImages
from object_detection.preprocess import input_of, pixels
from object_detection.progress import Throttle
from object_detection.spec import Spec

Ranges = Mapping[str, tuple[float, float]]
FILE = "calibration.json"
_RECIPE = 1  # increase it when calibration changes


@dataclass(frozen=True)
class Inputs:
    """Calibration images.

    Attributes
    ----------
    source
        ``data set`` or ``files``.
    """

    spec: Spec
    source: str
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    samples: tuple[int, ...]

    def each(self) -> Iterator[Array]:
        """The inputs, one by one, in batches of one."""
        prepared = self.spec.dataset.preprocessed if self.source == "data set" else None
        images = PreparedImages(prepared, self.spec.model) if prepared else None
        for path, sample in zip(self.paths, self.samples, strict=True):
            yield (images.load(sample) if images else input_of(pixels(path), self.spec.model))[None]

    def digest(self) -> str:
        """SHA-256 of names and inputs."""
        found = hashlib.sha256()
        for name, image in zip(self.names, self.each(), strict=True):
            found.update(f"{name}\0{image.shape}\0{image.dtype}\0".encode())
            found.update(np.ascontiguousarray(image).data)
        return found.hexdigest()


def inputs_of(spec: Spec, calibration: Calibration) -> Inputs:
    """The images of a calibration.

    Raises
    ------
    HarnessError
        If the data set has no images.
    """
    if calibration.files:
        files = calibration.files
        return Inputs(spec, "files", tuple(path.name for path in files), files, tuple(range(len(files))))
    images = read_images(spec.dataset, calibration.count)
    names = tuple(path.name for path in images.paths)
    return Inputs(spec, "data set", names, images.paths, images.samples)


def calibrate(spec: Spec, calibration: Calibration, backend: Framework) -> tuple[Ranges, Calibrated]:
    """The ranges of a model's values, and what they are from; ``calibration.json`` in the run folder has both.

    Ranges of the same model, backend and inputs are measured once on a machine.

    Raises
    ------
    HarnessError
        If the backend cannot be calibrated, or an image cannot be decoded.
    """
    measure = getattr(backend, "calibrate", None)
    if measure is None:
        raise HarnessError(
            f"the backend {spec.model.backend} declares an option that is calibrated, and has no function `calibrate`",
            "omit the option, or report it to the publisher of the backend",
        )
    inputs = inputs_of(spec, calibration)
    used = Calibrated(len(inputs.names), inputs.source, inputs.digest())
    report = Throttle("calibrating", used.images, "images")

    def counted() -> Iterator[Array]:
        for number, image in enumerate(inputs.each(), 1):
            yield image
            report(number)

    path = _place(spec, used, backend.version())
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock")):
        ranges = _read(path)
        if ranges is None:
            ranges = {
                name: (float(low), float(high))
                for name, (low, high) in measure(spec.model, spec.threads or 0, counted()).items()
            }
            _write(path, ranges)
    content = {"images": list(inputs.names), "source": used.source, "sha256": used.sha256, "ranges": ranges}
    (spec.folder / FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return ranges, used


def ranges_of(folder: Path) -> Ranges:
    """The ranges that `calibrate` has written into a run folder, for other processes of the run."""
    ranges: Ranges = json.loads((folder / FILE).read_text(encoding="utf-8"))["ranges"]
    return {name: (low, high) for name, (low, high) in ranges.items()}


def _place(spec: Spec, used: Calibrated, version: str) -> Path:
    """Where the ranges are kept."""
    model = replace(spec.model, path=Path(), max_batch=None)  # the interface; the file counts by its content
    subject = [_RECIPE, _digest(spec.model.path), model, version, used.sha256]
    return spec.cache / "calibrations" / f"{hashlib.sha256(repr(subject).encode()).hexdigest()[:24]}.json"


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def _read(path: Path) -> Ranges | None:
    """Ranges that an earlier run measured; None if there are none, or the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): (float(low), float(high)) for name, (low, high) in content.items()}
    except (AttributeError, OSError, TypeError, ValueError):
        return None


def _write(path: Path, ranges: Ranges) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(ranges), encoding="utf-8")
    os.replace(beside, path)

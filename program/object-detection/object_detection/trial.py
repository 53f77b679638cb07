"""``python -m object_detection.trial spec.json``: run the images of a spec, and draw the detections."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from object_detection.annotations import ImageList, read_images
from object_detection.backends import framework
from object_detection.backends.interface import as_loaded
from object_detection.detections import Rows
from object_detection.errors import fail
from object_detection.image_cache import ImageCache
from object_detection.outputs import OutputCheck
from object_detection.preprocess import decode
from object_detection.readings import Advisor
from object_detection.spec import Spec, read_spec
from object_detection.sut.library import SampleLibrary
from object_detection.sut.worker import Worker

PICTURE, FINDINGS = "trial.png", "trial.json"
_CELL, _COLUMNS = 400, 2  # pixels of a drawn image, and images in a line
_SHOWN, _SURE = 10, 0.3  # maximum number of drawn detections, and their minimum score
_COLOURS = ((60, 76, 231), (113, 204, 46), (219, 152, 52), (15, 196, 241), (182, 89, 155), (156, 188, 26))  # BGR

Image = npt.NDArray[np.uint8]


def main(path: Path) -> None:
    """Write the picture and the number of its detections next to the spec."""
    spec = read_spec(path)
    images = read_images(spec.dataset, spec.count)
    loaded = framework(spec.model.backend, spec.device).load(spec.model, spec.device, spec.threads or 0)
    model = as_loaded(spec.model, loaded)
    spec = replace(spec, model=model)
    library = SampleLibrary(ImageCache(spec, images))
    check = OutputCheck(model, images.categories, library.label)
    worker = Worker(model, loaded, library, check, advise=Advisor(spec, images, library).advice)
    indices = list(range(len(images)))
    library.load(indices)
    found = [shown(rows) for rows in worker.detect(indices)]
    names = _names(spec, images)
    cells = [_cell(decode(images.paths[index]), rows, names) for index, rows in zip(indices, found, strict=True)]
    cv2.imwrite(str(path.parent / PICTURE), sheet(cells))
    (path.parent / FINDINGS).write_text(json.dumps({"detections": sum(map(len, found))}), encoding="utf-8")


def shown(rows: Rows) -> Rows:
    """The detections to draw: those with a good score, the best first."""
    sure = rows[rows[:, 5] >= _SURE]
    return sure[np.argsort(-sure[:, 5], kind="stable")][:_SHOWN]


def _names(spec: Spec, images: ImageList) -> Mapping[int, str]:
    """Names of the model's classes."""
    if spec.model.classes_are == "contiguous":
        return {number: row.name for number, row in enumerate(images.truth.categories, 1)}
    return {row.id: row.name for row in images.truth.categories}


def _cell(image: Image, rows: Rows, names: Mapping[int, str]) -> Image:
    """An image with its detections, in the size of a cell."""
    scale = _CELL / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    drawn = np.zeros((_CELL, _CELL, 3), np.uint8)
    drawn[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    for _, ymin, xmin, ymax, xmax, score, kind in rows.tolist():
        colour = _COLOURS[int(kind) % len(_COLOURS)]
        corner, opposite = (round(xmin * width), round(ymin * height)), (round(xmax * width), round(ymax * height))
        cv2.rectangle(drawn, corner, opposite, colour, 2)
        text = f"{names.get(int(kind), f'class {kind:g}')} {score:.2f}"
        at = max(0, min(corner[0], _CELL - 90)), max(12, corner[1] - 4)
        (length, height_of_text), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
        cv2.rectangle(drawn, (at[0], at[1] - height_of_text - 2), (at[0] + length, at[1] + 3), (0, 0, 0), -1)
        cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def sheet(cells: Sequence[Image]) -> Image:
    """Arrange cells in a grid."""
    blank = np.zeros_like(cells[0])
    full = [*cells, *[blank] * (-len(cells) % _COLUMNS)]
    lines = [np.concatenate(full[first : first + _COLUMNS], axis=1) for first in range(0, len(full), _COLUMNS)]
    return np.concatenate(lines, axis=0)


if __name__ == "__main__":
    spec_file = Path(sys.argv[1]).resolve()
    try:
        main(spec_file)
    except BaseException as error:
        fail(error, spec_file.parent)

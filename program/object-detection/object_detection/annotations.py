"""The images of a data set in the benchmark's order, and the categories of its objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from object_detection.errors import HarnessError
from object_detection.spec import Dataset


@dataclass(frozen=True)
class ImageList:
    """Sample index = position.

    Attributes
    ----------
    ids
        Image ids of the annotation file.
    paths
        Files.
    sizes
        (width, height) in pixels.
    samples
        Position of each in the annotation file, of which some may be left out.
    categories
        Category ids in the file's order: contiguous class k (from 1) is categories[k - 1].
    """

    ids: tuple[int, ...]
    paths: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    categories: tuple[int, ...]
    samples: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


def read_images(dataset: Dataset, count: int | None) -> ImageList:
    """The first `count` images of the list `images` of the annotation file (all if None)."""
    try:
        content = json.loads(dataset.annotations.read_bytes())
        rows = list(enumerate(content["images"]))
        if dataset.only_annotated:
            annotated = {row["image_id"] for row in content["annotations"]}
            rows = [(number, row) for number, row in rows if row["id"] in annotated]
        rows = rows[:count]
        names = [
            (int(row["id"]), dataset.images / row["file_name"], (int(row["width"]), int(row["height"]))) for _, row in rows
        ]
        categories = tuple(int(row["id"]) for row in content["categories"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{dataset.annotations} is no COCO annotation file: {type(error).__name__} {error}") from error
    if not names:
        raise HarnessError(f"{dataset.annotations} names no image")
    missing = [path.name for _, path, _ in names if not path.is_file()] if not dataset.preprocessed else []
    if missing:
        raise HarnessError(
            f"{len(missing)} of {len(names)} images are not in {dataset.images}, {missing[0]} first", "fetch the data set again"
        )
    ids, paths, sizes = zip(*names, strict=True)
    return ImageList(ids, paths, sizes, categories, tuple(number for number, _ in rows))

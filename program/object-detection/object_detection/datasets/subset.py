"""Copy the first images of a COCO data set with their annotations to an independent data set.

Run by the recipe of the package ``dataset-coco-2017-val-small``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from object_detection.datasets.coco import read_coco
from object_detection.datasets.place import Folder, parts
from object_detection.errors import HarnessError, errors_as_command

ANNOTATIONS, IMAGES = "annotations/instances_val2017.json", "val2017"


def take(folder: Folder, annotations: Path, count: int, output: Path) -> None:
    """Copy the first `count` images of a data set into `output`, and write their annotations.

    Raises
    ------
    HarnessError
        If an image is missing.
    """
    truth = read_coco(annotations, folder)
    for row in truth.images[:count]:
        path = folder.find(row.name)
        if path is None:
            raise HarnessError(f"{folder.path} has no {row.name}, listed in {annotations}", "register the data set again")
        copy = output.joinpath(IMAGES, *parts(row.name))
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    target = output / ANNOTATIONS
    target.parent.mkdir()
    truth.write_coco(target, range(min(count, len(truth.images))))


def main() -> None:
    """The command line, for recipes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--dataset", type=json.loads, required=True, help="paths of images and annotations")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    with errors_as_command():
        folder = Folder(given.base / given.dataset["images"], bool(given.dataset.get("inside")))
        take(folder, given.base / given.dataset["annotations"], given.count, given.output)


if __name__ == "__main__":
    main()

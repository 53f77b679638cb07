"""Write a data set in COCO's format: run by the recipes of the packages ``convert-…-to-coco``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from object_detection.datasets.check import check
from object_detection.datasets.formats import FORMATS, find
from object_detection.datasets.source import Request
from object_detection.errors import errors_as_command

ANNOTATIONS = "annotations.json"


def convert(kind: str, dataset: Mapping[str, Any], base: Path, output: Path) -> None:
    """Write ``annotations.json`` and ``dataset.json``; images are not copied, and paths of the machine are not written.

    Parameters
    ----------
    kind
        The source format.
    dataset
        The `dataset` section of the source, with the user's description in `given`.
    base
        The folder that its paths are relative to.
    """
    source = find(kind, Request.parse(dataset["given"], base))
    found = check(source)
    source.truth.write_coco(output / ANNOTATIONS)
    described: dict[str, object] = {key: found[key] for key in ("count", "boxes", "crowds")}
    described |= {"categories": len(source.truth.categories), "annotations": ANNOTATIONS, "format": "coco"}
    described |= {"digest": dataset.get("digest", ""), "given": None, "names": "", "inside": source.images.inside}
    (output / "dataset.json").write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """The command line, for recipes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--dataset", type=json.loads, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    with errors_as_command():
        convert(given.format, given.dataset, given.base, given.output)


if __name__ == "__main__":
    main()

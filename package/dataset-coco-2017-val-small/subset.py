"""The first images of a data set in COCO format, with their annotations: copies, so that the set stands on its own."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--dataset", type=json.loads, required=True, help="where images and annotations are, from the base")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    source = given.base / given.dataset["annotations"]
    content = json.loads(source.read_text(encoding="utf-8"))
    content["images"] = content["images"][: given.count]
    ids = {row["id"] for row in content["images"]}
    content["annotations"] = [row for row in content["annotations"] if row["image_id"] in ids]
    images = given.output / "val2017"
    images.mkdir()
    for row in content["images"]:
        shutil.copyfile(given.base / given.dataset["images"] / row["file_name"], images / row["file_name"])
    target = given.output / "annotations" / "instances_val2017.json"
    target.parent.mkdir()
    target.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()

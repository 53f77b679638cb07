"""A plain loop over the images of a COCO data set, which compares their sizes with the annotations.

``headers.py FOLDER [digests]``: with ``digests`` it computes the SHA-256 of each file, too.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from pathlib import Path

_NOT_A_FRAME = (0xC4, 0xC8, 0xCC)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a JPEG, from its header."""
    with open(path, "rb") as file:
        content = file.read(1 << 16)
    at = 2
    while True:
        mark, length = struct.unpack_from(">xBH", content, at)
        if 0xC0 <= mark < 0xD0 and mark not in _NOT_A_FRAME:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        at += 2 + length


def main() -> None:
    folder = Path(sys.argv[1])
    rows = json.loads((folder / "annotations/instances_val2017.json").read_text())["images"]
    wrong = sum(size_of(folder / "val2017" / row["file_name"]) != (row["width"], row["height"]) for row in rows)
    if sys.argv[2:] == ["digests"]:
        for row in rows:
            hashlib.sha256((folder / "val2017" / row["file_name"]).read_bytes()).hexdigest()
    print(json.dumps({"images": len(rows), "wrong": wrong}))


if __name__ == "__main__":
    main()

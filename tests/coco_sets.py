"""Generated COCO data sets: JPEG files, annotations with boxes, and COCO's category ids with their gaps."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

# instances_val2017.json: 80 ids between 1 and 90
CATEGORIES = tuple(number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83))
SIZES = ((64, 48), (48, 64), (60, 60), (80, 33))


def flat_jpeg(width: int, height: int) -> bytes:
    """A grey image as baseline JPEG, ITU-T T.81: one component, every coefficient 0, codes of one bit."""

    def segment(mark: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, mark, len(content) + 2) + content

    def table(number: int) -> bytes:  # of Huffman codes: one code, of one bit, for the value 0
        return segment(0xC4, bytes([number, 1, *[0] * 15, 0]))

    blocks = ((width + 7) // 8) * ((height + 7) // 8)
    bits = "00" * blocks  # of each block: no change of the mean, then the end of the block
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"".join([
        b"\xff\xd8",
        segment(0xE0, b"JFIF\0" + struct.pack(">BBBHHBB", 1, 1, 0, 1, 1, 0, 0)),
        segment(0xDB, bytes([0, *[1] * 64])),
        segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])),
        table(0x00), table(0x10),
        segment(0xDA, bytes([1, 1, 0, 0, 63, 0])), scan,
        b"\xff\xd9",
    ])  # fmt: skip


def annotation_file(images: int, boxes: int = 4, seed: int = 1) -> dict[str, Any]:
    """The content of an annotation file; image `n` has the id `10 n + 3`, so that no id is a position."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    marked: list[dict[str, Any]] = []
    for number in range(images):
        width, height = SIZES[number % len(SIZES)]
        identity = 10 * number + 3
        rows.append({"id": identity, "file_name": f"{identity:012}.jpg", "width": width, "height": height})
        for _ in range(boxes):
            w, h = chance.randint(8, width // 2), chance.randint(8, height // 2)
            box = [chance.randint(0, width - w), chance.randint(0, height - h), w, h]
            marked.append({
                "id": len(marked) + 1, "image_id": identity, "category_id": chance.choice(CATEGORIES), "bbox": box,
                "area": w * h, "iscrowd": 0,
            })  # fmt: skip
    categories = [{"id": number, "name": f"kind {number}", "supercategory": "made"} for number in CATEGORIES]
    return {"images": rows, "annotations": marked, "categories": categories}


def write_coco(folder: Path, images: int = 12, *, drawn: bool = False) -> dict[str, Any]:
    """Write a data set as COCO lays it out, and return its annotations.

    Parameters
    ----------
    folder
        Gets ``val2017`` and ``annotations/instances_val2017.json``.
    drawn
        Whether the images show noise (which needs OpenCV) instead of one grey.
    """
    content = annotation_file(images)
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for number, row in enumerate(content["images"]):
        width, height = row["width"], row["height"]
        made = _noise(width, height, number) if drawn else flat_jpeg(width, height)
        (folder / "val2017" / row["file_name"]).write_bytes(made)
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(content))
    return content


def _noise(width: int, height: int, seed: int) -> bytes:
    """An image with edges of every size: noise of few and of many pixels, added."""
    import cv2
    import numpy as np

    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.int16)
    image += chance.integers(-40, 41, (height, width, 3), dtype=np.int16)
    done, made = cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8))
    assert done
    return bytes(made)

"""Small JPEG images of random grey blocks, written without an image library, and their annotations in COCO's format."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

WIDTH, HEIGHT = 640, 480
KINDS, OBJECTS = 80, 7  # as many as COCO has, and has in an image
_CODES = ("00", "01", "10", "110")  # of differences between blocks, by the bits that follow
_QUANTIZATION = bytes([16] * 64)


def _segment(mark: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, mark, len(content) + 2) + content


def jpeg(chance: random.Random, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A baseline JPEG of one component whose blocks of 8 × 8 pixels are each of one random grey."""
    bits = []
    level = 0
    for _ in range(-(-width // 8) * -(-height // 8)):
        step = chance.randint(-7, 7)
        step = step if abs(level + step) < 60 else -step
        level += step
        size = abs(step).bit_length()
        value = step if step > 0 else step + (1 << size) - 1
        bits.append(_CODES[size] + (f"{value:0{size}b}" if size else "") + "0")  # the last bit: no other coefficients
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    # Huffman tables: DC as in _CODES; AC has one code, the end of a block
    return b"".join((
        b"\xff\xd8",
        _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        _segment(0xDB, b"\0" + _QUANTIZATION),
        _segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"),
        _segment(0xC4, b"\0" + bytes([0, 3, 1, *[0] * 13]) + bytes(range(len(_CODES)))),
        _segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0"),
        _segment(0xDA, b"\x01\x01\0\0\x3f\0"),
        scan,
        b"\xff\xd9",
    ))  # fmt: skip


def make_data_set(folder: Path, count: int) -> None:
    """Write a data set in COCO's format: `count` images, of which each fortieth has the same pixels."""
    chance = random.Random(1)
    contents = [jpeg(chance) for _ in range(40)]
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    images: list[dict[str, object]] = []
    marks: list[dict[str, object]] = []
    for number in range(1, count + 1):
        name = f"{number:012}.jpg"
        (folder / "val2017" / name).write_bytes(contents[number % len(contents)])
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for _ in range(OBJECTS):
            width, height = chance.randint(20, 250), chance.randint(20, 200)
            box = [chance.randint(0, WIDTH - width), chance.randint(0, HEIGHT - height), width, height]
            about = {"image_id": number, "category_id": chance.randint(1, KINDS), "bbox": box, "area": width * height}
            marks.append({"id": len(marks) + 1, "iscrowd": 0, **about})
    categories = [{"id": kind, "name": f"kind {kind}"} for kind in range(1, KINDS + 1)]
    content = {"images": images, "annotations": marks, "categories": categories}
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(content))

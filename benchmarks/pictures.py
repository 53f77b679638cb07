"""Write a data set of drawn images in COCO's format: ``pictures.py FOLDER COUNT``; it needs NumPy and OpenCV."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480
KINDS, OBJECTS = 80, 7  # as many as COCO has, and has in an image


def picture(chance: np.random.Generator) -> tuple[np.ndarray, list[list[int]]]:
    """An image with soft and fine structure, as photographs have, and the boxes of the objects in it."""
    coarse = chance.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    boxes = []
    for _ in range(OBJECTS):
        width, height = int(chance.integers(20, 250)), int(chance.integers(20, 200))
        x, y = int(chance.integers(0, WIDTH - width)), int(chance.integers(0, HEIGHT - height))
        image[y : y + height, x : x + width] = chance.integers(0, 256, 3)
        boxes.append([x, y, width, height])
    image += chance.integers(-12, 13, image.shape, dtype=np.int16)
    return np.clip(image, 0, 255).astype(np.uint8), boxes


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    chance = np.random.default_rng(1)
    images: list[dict[str, object]] = []
    marks: list[dict[str, object]] = []
    for number in range(1, count + 1):
        image, boxes = picture(chance)
        name = f"{number:012}.jpg"
        cv2.imwrite(str(folder / "val2017" / name), image)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for box in boxes:
            kind = int(chance.integers(1, KINDS + 1))
            row = {"image_id": number, "category_id": kind, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            marks.append({"id": len(marks) + 1, **row})
    categories = [{"id": kind, "name": f"kind {kind}"} for kind in range(1, KINDS + 1)]
    content = {"images": images, "annotations": marks, "categories": categories}
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(content))
    print(json.dumps({"images": count}))


if __name__ == "__main__":
    main()

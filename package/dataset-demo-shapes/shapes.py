"""Draw the demo data set: overlapping shapes on textured backgrounds, annotated in COCO's format.

Every image depends on the seed and its own number alone, so that any part of the set can be drawn again, in any order.
Shapes are rasterised by inequalities on the pixel grid, without anti-aliasing: a box is the exact extent of the pixels of
its shape that are still visible.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import cv2
import numpy as np

CLASSES = ("disc", "ring", "rectangle", "triangle", "cross", "star", "crescent", "hourglass")
IMAGE_SIZES = ((320, 240), (400, 300), (300, 400), (480, 360), (360, 360), (640, 480))  # width, height in pixels
MIN_VISIBLE = 0.75  # a new shape must leave this share of every shape that it covers in sight
STRETCH = 0.25  # maximum logarithm of the factor by which a shape is wider and lower, or narrower and higher
MAX_STRETCH = math.exp(STRETCH)
MAX_RADIUS = 1.5  # distance of a shape's farthest point from its centre in its own frame, which is at most √2
SEED = 2021  # the published set; training draws from other seeds


def shape_mask(name: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether each point (u, v) of the shape's own frame, where it spans about -1 to 1, lies inside the shape."""
    radius = np.hypot(u, v)
    if name == "disc":
        return radius < 1
    if name == "ring":
        return (radius < 1) & (radius > 0.55)
    if name == "rectangle":
        return (abs(u) < 1) & (abs(v) < 0.7)
    if name == "triangle":
        return (v < 0.8) & (v > 2 * abs(u) - 1)
    if name == "cross":
        return ((abs(u) < 0.3) | (abs(v) < 0.3)) & (abs(u) < 1) & (abs(v) < 1)
    if name == "star":
        angle = np.mod(np.arctan2(u, -v), 2 * math.pi / 5)
        edge = 0.38 + 0.62 * abs(angle / (math.pi / 5) - 1)
        return radius < edge
    if name == "crescent":
        return (radius < 1) & (np.hypot(u - 0.45, v) > 0.8)
    if name == "hourglass":
        return (abs(v) < 1) & (abs(u) < abs(v) * 0.85 + 0.08)
    raise ValueError(f"unknown shape {name!r}; known: {', '.join(CLASSES)}")


Window = tuple[slice, slice]  # rows and columns of an image


def texture(rng: np.random.Generator, height: int, width: int, contrast: float, window: Window) -> np.ndarray:
    """Smooth coloured noise plus stripes in a window of an image, float32 (rows, columns, 3), about `contrast` grey levels.

    The values are centred on 0. They are those of a texture of the whole image.
    """
    cells = int(rng.integers(3, 24))
    coarse = rng.normal(0, contrast, (cells, cells, 3)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[window]
    if rng.random() < 0.5:
        angle, period = rng.uniform(0, math.pi), rng.uniform(6, 40)
        y, x = _grid(window)
        wave = np.sin((x * math.cos(angle) + y * math.sin(angle)) * (2 * math.pi / period))
        field += wave[..., None] * rng.normal(0, contrast, 3).astype(np.float32)
    return field


def _grid(window: Window) -> np.ndarray:
    """The row and the column of each pixel of a window, float32 (2, rows, columns)."""
    return np.mgrid[window].astype(np.float32)


def _around(centre: float, reach: float, length: int) -> slice:
    """The pixels of an axis that a shape can reach."""
    return slice(min(max(0, int(centre - reach)), length - 1), min(length, int(centre + reach) + 2))


def draw(seed: int, number: int) -> tuple[np.ndarray, list[tuple[int, list[int], int]]]:
    """Draw image `number` of the set `seed`.

    Returns
    -------
    image
        uint8 (height, width, 3), BGR.
    objects
        (class number from 1, [x, y, width, height] in pixels, visible pixels) of each shape.
    """
    rng = np.random.default_rng([seed, number])
    width, height = IMAGE_SIZES[int(rng.integers(len(IMAGE_SIZES)))]
    everywhere = slice(0, height), slice(0, width)
    canvas = rng.uniform(40, 215, 3).astype(np.float32) + texture(rng, height, width, 18, everywhere)
    owner = np.zeros((height, width), np.int32)  # which shape each pixel shows; 0 is background
    kinds: dict[int, int] = {}
    side = min(width, height)
    for _ in range(int(rng.integers(2, 8))):
        kind = int(rng.integers(len(CLASSES)))
        size = side * float(np.exp(rng.uniform(math.log(0.07), math.log(0.28))))
        cx, cy = rng.uniform(0.05 * width, 0.95 * width), rng.uniform(0.05 * height, 0.95 * height)
        angle, stretch = rng.uniform(0, 2 * math.pi), math.exp(rng.uniform(-STRETCH, STRETCH))
        reach = size * MAX_STRETCH * MAX_RADIUS
        window = _around(cy, reach, height), _around(cx, reach, width)
        y, x = _grid(window)
        dx, dy = (x - cx) / (size * stretch), (y - cy) / (size / stretch)
        inside = shape_mask(
            CLASSES[kind], dx * math.cos(angle) + dy * math.sin(angle), dy * math.cos(angle) - dx * math.sin(angle)
        )
        fill = rng.uniform(0, 255, 3).astype(np.float32) + texture(rng, height, width, 10, window)
        if not _fits(inside, owner, window, size):
            continue
        label = len(kinds) + 1
        kinds[label] = kind
        owner[window][inside] = label
        canvas[window][inside] = fill[inside]
    canvas += rng.normal(0, rng.uniform(0, 4), canvas.shape).astype(np.float32)
    objects = []
    for label, kind in kinds.items():
        rows, columns = np.nonzero(owner == label)
        left, top = int(columns.min()), int(rows.min())
        box = [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1]
        objects.append((kind + 1, box, len(rows)))
    return np.clip(canvas, 0, 255).astype(np.uint8), objects


def _fits(inside: np.ndarray, owner: np.ndarray, window: Window, size: float) -> bool:
    """Whether the new shape lies well within the image and leaves enough of every shape below it in sight."""
    area = int(inside.sum())
    if area < 0.6 * size * size:  # cut off by the border (the slimmest whole shape covers 1.0 size²)
        return False
    hidden = np.bincount(owner[window][inside], minlength=1)
    covered = [label for label in np.nonzero(hidden)[0] if label]
    whole = np.bincount(owner.ravel(), minlength=len(hidden)) if covered else hidden
    return all(whole[label] - hidden[label] >= MIN_VISIBLE * whole[label] for label in covered)


def write_image(folder: pathlib.Path, seed: int, number: int) -> tuple[int, int, list[tuple[int, list[int], int]]]:
    """Draw one image into `folder`; return its height, width and objects."""
    image, objects = draw(seed, number)
    if not cv2.imwrite(str(folder / file_name(number)), image):
        raise OSError(f"cannot write {folder / file_name(number)}")
    return image.shape[0], image.shape[1], objects


def file_name(number: int) -> str:
    """The file name of image `number`, twelve digits as in COCO."""
    return f"{number:012d}.png"


def write_data_set(root: pathlib.Path, count: int, seed: int = SEED) -> None:
    """Write `count` images under root/val2017 and root/annotations/instances_val2017.json, as COCO lays them out."""
    folder = root / "val2017"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    numbers = range(1, count + 1)
    images, annotations = [], []
    with ProcessPoolExecutor() as pool:
        drawn = pool.map(partial(write_image, folder, seed), numbers)
        for number, (height, width, objects) in zip(numbers, drawn, strict=True):
            images.append({"id": number, "file_name": file_name(number), "height": height, "width": width})
            for category, box, area in objects:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": category,
                        "bbox": box,
                        "area": area,
                        "iscrowd": 0,
                    }
                )
            if number % 20 == 0 or number == count:
                print(json.dumps({"progress": "drawing images", "done": number, "total": count}), flush=True)
    answer = {
        "info": {"description": "Demo shapes", "version": "1", "seed": seed},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name, "supercategory": "shape"} for i, name in enumerate(CLASSES, 1)],
    }
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder to write into")
    parser.add_argument("--count", type=int, default=200, help="images (default 200)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"which set (default {SEED}, the published one)")
    arguments = parser.parse_args()
    write_data_set(arguments.output, arguments.count, arguments.seed)

"""The demo data set: any part of it is reproducible, and its annotations are exact."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def shapes(shapes_file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("shapes", shapes_file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def published(shapes: ModuleType) -> list[tuple[Any, list[tuple[int, list[int], int]]]]:
    """The first 60 images of the published set, with their objects."""
    return [shapes.draw(shapes.SEED, number) for number in range(1, 61)]


def write(shapes_file: Path, folder: Path, count: int, *words: str) -> dict[str, bytes]:
    """The set as the package's recipe writes it: bytes by file name."""
    command = [sys.executable, str(shapes_file), "--output", str(folder), "--count", str(count), *words]
    subprocess.run(command, check=True, capture_output=True)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_gives_same_bytes(shapes_file: Path, tmp_path: Path) -> None:
    first, second = write(shapes_file, tmp_path / "a", 6), write(shapes_file, tmp_path / "b", 6)
    assert first == second
    assert len(first) == 7


def test_image_does_not_depend_on_image_count(demo_set: Path, shapes_file: Path, tmp_path: Path) -> None:
    few = write(shapes_file, tmp_path, 3)
    for number in (1, 2, 3):
        name = f"val2017/{number:012d}.png"
        assert few[name] == (demo_set / name).read_bytes()
    rows = [json.loads(text)["annotations"] for text in (few["annotations/instances_val2017.json"],
            (demo_set / "annotations" / "instances_val2017.json").read_bytes())]  # fmt: skip
    assert rows[0] == [row for row in rows[1] if row["image_id"] <= 3]


def test_annotations_have_coco_format(shapes: ModuleType, demo_set: Path) -> None:
    content = json.loads((demo_set / "annotations" / "instances_val2017.json").read_text())
    sizes = {row["id"]: (row["width"], row["height"]) for row in content["images"]}
    for row in content["images"]:
        height, width = cv2.imread(str(demo_set / "val2017" / row["file_name"])).shape[:2]
        assert (row["width"], row["height"]) == (width, height)
    assert [row["id"] for row in content["annotations"]] == list(range(1, len(content["annotations"]) + 1))
    assert [row["name"] for row in content["categories"]] == list(shapes.CLASSES)
    for row in content["annotations"]:
        x, y, w, h = row["bbox"]
        width, height = sizes[row["image_id"]]
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
        assert 0 < row["area"] <= w * h


def test_boxes_are_exact_extent_of_visible_shapes(shapes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recomputed from the masks of the drawn shapes."""
    fits, taken = shapes._fits, []

    def watched(inside: Any, owner: Any, window: Any, size: float) -> bool:
        if answer := fits(inside, owner, window, size):
            taken.append(np.zeros(owner.shape, bool))
            taken[-1][window] = inside
        return bool(answer)

    monkeypatch.setattr(shapes, "_fits", watched)
    for number in range(1, 16):
        taken.clear()
        _, objects = shapes.draw(shapes.SEED, number)
        assert len(objects) == len(taken)
        for place, (_, box, area) in enumerate(objects):
            visible = taken[place] & ~np.any([*taken[place + 1 :], np.zeros_like(taken[place])], axis=0)
            rows, columns = np.nonzero(visible)
            x, y = columns.min(), rows.min()
            assert box == [x, y, columns.max() - x + 1, rows.max() - y + 1]
            assert area == visible.sum() >= shapes.MIN_VISIBLE * taken[place].sum()


def test_every_class_and_size_occurs(shapes: ModuleType, published: list[Any]) -> None:
    kinds = Counter(kind for _, objects in published for kind, _, _ in objects)
    assert set(kinds) == set(range(1, len(shapes.CLASSES) + 1))
    assert min(kinds.values()) >= 10
    assert {image.shape[1::-1] for image, _ in published} == set(shapes.IMAGE_SIZES)


def test_some_boxes_overlap(published: list[Any]) -> None:
    """Otherwise non-maximum suppression would have nothing to do."""

    def meet(one: list[int], other: list[int]) -> bool:
        return all(one[i] < other[i] + other[i + 2] and other[i] < one[i] + one[i + 2] for i in (0, 1))

    images = 0
    for _, objects in published:
        boxes = [box for _, box, _ in objects]
        images += any(meet(a, b) for place, a in enumerate(boxes) for b in boxes[:place])
    assert images >= 10


def test_training_uses_another_seed(shapes: ModuleType, demo_model: Path) -> None:
    tree = ast.parse((demo_model.parent / "train.py").read_text())
    values = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name) and target.id == "TRAINING_SEED"
    }  # fmt: skip
    assert values["TRAINING_SEED"] != shapes.SEED


def test_shapes_stay_inside_their_windows(shapes: ModuleType) -> None:
    v, u = np.mgrid[-3:3:601j, -3:3:601j]
    far = np.hypot(u, v) >= shapes.MAX_RADIUS
    assert not any(shapes.shape_mask(name, u, v)[far].any() for name in shapes.CLASSES)

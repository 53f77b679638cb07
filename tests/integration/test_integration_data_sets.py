"""The user's data sets on the command line: registered by name, shown, converted, and checked for changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_sets
import pytest

Run = Callable[..., dict[str, Any]]
BOXES = [(0, 0.5, 0.5, 0.25, 0.5), (1, 0.25, 0.25, 0.25, 0.25)]


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Two images of 64 × 48 with two boxes each, as YOLO's tools write them."""
    root = tmp_path / "robots"
    for part in ("images/val", "labels/val"):
        (root / part).mkdir(parents=True)
    for name in ("a", "b"):
        (root / f"images/val/{name}.jpg").write_bytes(coco_sets.flat_jpeg(64, 48))
        (root / f"labels/val/{name}.txt").write_text("".join(f"{' '.join(map(str, row))}\n" for row in BOXES))
    (root / "data.yaml").write_text("val: images/val\nnames: [wheel, arm]\n")
    return root


def test_data_set_is_registered_by_name_and_shown(ck: Run, yolo: Path) -> None:
    answer = ck("detect", "soft:dataset.yolo", f"--full_path={yolo}", "--name=robots", "--extra_tags=mine")
    assert answer["env"]["name"] == "robots"
    assert {"dataset", "object-detection", "yolo", "mine"} <= set(answer["tags"])
    found = ck("show", "dataset:robots")
    assert (found["count"], found["boxes"], found["format"]) == (2, 4, "yolo")
    assert found["categories"] == [{"id": 1, "name": "wheel", "boxes": 2}, {"id": 2, "name": "arm", "boxes": 2}]
    assert found["sizes"] == [[64, 48, 2]]
    assert [row["name"] for row in ck("show", "dataset")["lst"]] == ["robots"]
    assert ck("show", "dataset", "--tags=mine")["name"] == "robots"
    missing = ck("show", "dataset:robot")
    assert missing["return"] == 16
    assert "did you mean robots?" in missing["error"]


def test_data_set_is_converted_to_coco(ck: Run, yolo: Path, tmp_path: Path) -> None:
    ck("detect", "soft:dataset.yolo", f"--full_path={yolo}", "--name=robots")
    target = tmp_path / "out.json"
    assert ck("convert", "dataset:robots", "--format=coco", f"--output={target}")["path"] == str(target)
    content = json.loads(target.read_text())
    assert content["images"][0] == {"id": 1, "file_name": "images/val/a.jpg", "width": 64, "height": 48}
    assert content["annotations"][0]["bbox"] == [24, 12, 16, 24]
    again = ck("convert", "dataset:robots", f"--output={target}")
    assert again["return"] != 0
    assert "exists" in again["error"]
    assert ck("convert", "dataset:robots", f"--output={target}", "--overwrite")["return"] == 0
    assert "needs --output=" in ck("convert", "dataset:robots")["error"]
    assert ck("detect", "soft:dataset.coco", f"--full_path={yolo}", f"--annotations={target}", "--name=same")["return"] == 0
    assert ck("show", "dataset:same")["boxes"] == 4


def test_run_converts_other_formats_to_coco(ck: Run, yolo: Path) -> None:
    ck("detect", "soft:dataset.yolo", f"--full_path={yolo}", "--name=robots")
    plan = ck("explain", "program:object-detection", "--dataset=robots")["plan"]
    rows = {row["dependency"]: row for row in plan}
    assert rows["dataset"]["package"] == "convert-yolo-to-coco"
    assert rows["source"]["name"] == "robots"


def test_file_of_no_image_changes_nothing(ck: Run, yolo: Path) -> None:
    ck("detect", "soft:dataset.yolo", f"--full_path={yolo}", "--name=robots")
    (yolo / "labels/val/c.txt").write_text("\n")
    assert ck("explain", "program:object-detection", "--dataset=robots")["return"] == 0


@pytest.mark.parametrize("part", ["images/val/b.jpg", "labels/val/b.txt", "data.yaml"])
def test_file_changes_are_detected_and_reread(ck: Run, yolo: Path, part: str) -> None:
    uid = ck("detect", "soft:dataset.yolo", f"--full_path={yolo}", "--name=robots")["env_uid"]
    path = yolo / part
    content = path.read_bytes() if path.exists() else b""
    path.write_bytes(content + b"\n")
    plan = ck("explain", "program:object-detection", "--dataset=robots")
    assert plan["return"] != 0
    assert "were changed after it was registered" in plan["error"]
    assert ck("refresh", f"env:{uid}")["return"] == 0
    assert ck("show", "dataset:robots")["name"] == "robots"
    assert ck("explain", "program:object-detection", "--dataset=robots")["return"] == 0


def test_errors_are_reported_at_registration(ck: Run, yolo: Path) -> None:
    (yolo / "labels/val/a.txt").write_text("0 1.5 0.5 0.25 0.5\n")
    failed = ck("detect", "soft:dataset.yolo", f"--full_path={yolo}", "--name=robots")
    assert failed["return"] == 9
    assert "line 1 of a.txt has a number that is not a fraction of the image" in failed["error"]
    assert ck("show", "dataset")["lst"] == []

"""Shared fixtures: our demo model, and a small data set with real images."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from ck_repo.store.folders import default_repository_root


def png(width: int, height: int) -> bytes:
    """A black image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width + 1) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class DataSet:
    """Three images of 4 × 3 with an annotation each, in COCO's layout, for a test to damage."""

    def __init__(self, root: Path, folder: str = "val2017") -> None:
        self.images = root / folder
        self.file = root / "annotations" / f"instances_{folder}.json"
        self.images.mkdir(parents=True)
        self.file.parent.mkdir()
        names = [f"{number}.png" for number in (1, 2, 3)]
        for name in names:
            (self.images / name).write_bytes(png(4, 3))
        self.content: dict[str, Any] = {
            "images": [{"id": n, "file_name": name, "width": 4, "height": 3} for n, name in enumerate(names, 1)],
            "annotations": [{"id": n, "image_id": n, "category_id": 7, "bbox": [0, 0, 2, 2]} for n in (1, 2, 3)],
            "categories": [{"id": 7, "name": "thing"}],
        }
        self.write()

    def write(self) -> None:
        """Write the current annotations."""
        self.file.write_text(json.dumps(self.content))


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    """A data set in `tmp_path / "coco"`."""
    return DataSet(tmp_path / "coco")


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """Our own demo model."""
    return default_repository_root() / "package/model-demo-ssd/demo_ssd.onnx"

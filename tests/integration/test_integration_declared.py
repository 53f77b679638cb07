"""A backend and a network added by a package in the venv through declarations alone: recognised, converted, run, recorded."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_pickles import table, tensor, zipped

from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

pytest.importorskip("cv2")
pytest.importorskip("mlperf_loadgen")
pytest.importorskip("pycocotools")

Run = Callable[..., dict[str, Any]]
NEEDED = ("numpy", "opencv_python_headless", "mlcommons_loadgen", "pycocotools")
BACKEND = """
import json
import struct

import numpy as np
from object_detection.models.networks import network_of

BACKEND = {
    "runs": "safetensors",
    "deps": {"blobs": {"tags": ["lib", "python-package", "blobs"]}},
    "also_called": ["specks"],
    "python_packages": ["blobs"],
}


def version():
    return "1.0"


def devices():
    return ["cpu"]


def load(model, device, threads):
    content = model.path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    rows = json.loads(content[8 : 8 + size])
    rows.pop("__metadata__", None)
    body = content[8 + size :]
    arrays = {
        name: np.frombuffer(body[slice(*row["data_offsets"])], np.float32).reshape(row["shape"]) for name, row in rows.items()
    }
    return network_of(arrays, {}, model.path).builder("numpy")(arrays)
"""
NETWORK = """
import numpy as np

NETWORK = {
    "benchmark": "ssd-mobilenet",
    "marker": "blob.threshold",
    "builders": {"numpy": "blob_network:Blobs"},
    "profiles": {
        "blobs-300": {
            "formats": ["pytorch"],
            "input": "picture",
            "side": 300,
            "scaling": "none",
            "layout": "NHWC",
            "dtype": "uint8",
            "boxes": "where",
            "scores": "how_sure",
            "classes": "what",
            "box_order": "yxyx",
            "classes_are": "category",
        },
    },
}


class Blobs:
    \"\"\"One box an image: around the pixels that differ from its corner.\"\"\"

    max_batch, threads, layout = None, 1, "NHWC"

    def __init__(self, arrays):
        self.threshold = float(arrays["blob.threshold"][0])

    def run(self, images):
        boxes = np.zeros((len(images), 1, 4), np.float32)
        for box, image in zip(boxes, images):
            rows, columns = np.nonzero(np.abs(image.astype(float) - image[0, 0]).max(-1) > self.threshold)
            box[0] = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]) / 300 if len(rows) else 0
        return boxes, np.full((len(images), 1), 0.5, np.float32), np.ones((len(images), 1), np.float32), None
"""


@pytest.fixture
def site(venv: Entry) -> Path:
    """The packages of the venv: those that the harness needs, by reference, and a distribution with a backend and a network."""
    (folder,) = (venv.path / "venv/lib").glob("*/site-packages")
    home = Path(sysconfig.get_path("purelib"))
    (folder / "harness.pth").write_text(f"{home}\n")
    for name in NEEDED:
        for info in home.glob(f"{name}-*.dist-info"):
            (folder / info.name).symlink_to(info)
            tops = {line.split(",")[0].split("/")[0] for line in (info / "RECORD").read_text().splitlines()}
            for top in tops - {"..", info.name, "__pycache__"}:  # a venv whose packages lack their modules is refused
                if not (folder / top).exists():
                    (folder / top).symlink_to(home / top)
    (folder / "blob_backend.py").write_text(BACKEND)
    (folder / "blob_network.py").write_text(NETWORK)
    info = folder / "blobs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: blobs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ck_repo.backends]\nblobs = blob_backend\n\n[ck_repo.networks]\nblobs = blob_network\n"
    )
    (info / "RECORD").write_text("")
    meta = {"tags": ["lib", "python-package", "blobs"], "python_package": {"name": "blobs"}}
    create_entry(Repositories().writable(), "package", "lib-blobs", meta)
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A PyTorch file with the toy network's only weight."""
    content = zipped(table({"blob.threshold": tensor("0", [1])}), {"0": np.array([40], np.float32).tobytes()})
    path = tmp_path / "blobs.pytorch"
    path.write_bytes(content)
    return path


def test_declared_network_runs_on_declared_backend(ck: Run, site: Path, weights: Path) -> None:
    found = ck("detect", "soft:model.pytorch", f"--full_path={weights}", "--extra_tags=mine", "--dataset=demo,shapes")
    model = found["env"]["model"]
    assert (model["network"], model["benchmark"], model["profile"]) == ("blobs", "ssd-mobilenet", "blobs-300")
    assert model["signature"]["inputs"] == ["picture uint8[NHWC]"]

    answer = ck(
        "run",
        "program:object-detection",
        "--model=mine",
        "--backend=blobs",
        "--count=8",
        "--time=0.2",
        "--threads=1",
        "--quiet",
    )
    assert answer["return"] == 0, answer
    results = answer["results"]
    assert (results["backend"], results["backend_version"], results["images"]) == ("blobs", "1.0", 8)
    assert results["accuracy"]["detections"] == 8
    assert results["performance"]["samples_per_second"] > 0
    spec = ck("load", f"experiment:{answer['experiment']['uid']}")["dict"]["spec"]["model"]
    assert spec["path"].endswith("model.safetensors")  # converted: the backend runs that format
    assert (spec["input"], spec["boxes"], spec["scaling"], spec["box_order"]) == ("picture", "where", "none", "yxyx")


def test_declared_backend_is_planned_with_its_dependencies(ck: Run, site: Path, weights: Path) -> None:
    ck("detect", "soft:model.pytorch", f"--full_path={weights}", "--extra_tags=mine", "--dataset=demo,shapes")
    plan = ck("explain", "program:object-detection", "--model=mine", "--backend=blobs")["plan"]
    chosen = {row["dependency"]: row.get("package") or row["name"] for row in plan}
    assert chosen["weights"] == "convert-pytorch-to-safetensors"
    assert "blobs" in chosen
    assert not {"torch", "onnxruntime", "safetensors", "tensorflow"} & set(chosen)
    wrong = ck("explain", "program:object-detection", "--model=mine", "--backend=specks")
    assert "did you mean blobs" in wrong["error"]


def test_network_is_unknown_without_declaration(ck: Run, venv: Entry, weights: Path) -> None:
    answer = ck("detect", "soft:model.pytorch", f"--full_path={weights}")
    assert "its weights do not belong to a known network; blob.threshold" in answer["error"]
    assert "ssd-mobilenet-v1, ssd-resnet34-1200" in answer["error"]


def test_non_literal_declaration_is_rejected_by_name(ck: Run, site: Path) -> None:
    mark = site / "ran"
    (site / "blob_backend.py").write_text(f"BACKEND = dict(runs=open({str(mark)!r}, 'w').name)\n")
    answer = ck("explain", "program:object-detection")
    assert answer["return"] != 0
    assert "blob_backend.py: BACKEND cannot be read" in answer["error"]
    assert not mark.exists()
    (site / "blob_backend.py").write_text("BACKEND = {'rusn': 'onnx'}\n")
    assert "blob_backend.py: rusn is not a known key" in ck("explain", "program:object-detection")["error"]

"""The project installed, and its command run, like a user does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from end_to_end.installed import Ck, ck_with_demo
from reference_scoring import mean_average_precision

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files, so that nothing is built into the checkout."""
    source = tmp_path_factory.mktemp("project") / "source"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    return source


@pytest.fixture(scope="session")
def program(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `ck`, installed from a wheel into an environment of its own."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", folder / "v"], check=True)
    subprocess.run([folder / "v/bin/pip", "install", "--quiet", source], check=True)
    return folder / "v/bin/ck"


@pytest.fixture(scope="session")
def shared_ck(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Ck:
    """CK folders in which the demo has run once: the venv is there, the demo is installed.

    The files that use them are in the group `shared_ck`, so that one process makes them, once.
    """
    return ck_with_demo(program, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def fresh_ck(program: Path, tmp_path: Path) -> Ck:
    """Empty CK folders."""
    (tmp_path / "home").mkdir()
    return Ck(program, tmp_path / "home")


@dataclass(frozen=True)
class Subject:
    """The measured files: a user's model and an image.

    Attributes
    ----------
    mAP
        0 to 1, computed by independent code.
    """

    model: Path
    image: Path
    mAP: float


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A published model on 79 COCO images if available; otherwise the demo's model and images."""
    data = Path(os.environ.get("CK_TEST_DATA") or ROOT.parent / "shared" / "data")
    if (data / "coco79").is_dir():  # the figure of the v1.0.1 reference harness
        image = next((data / "coco79/val2017").iterdir())
        return Subject(data / "models/ssd_mobilenet_v1_075_fp32.onnx", image, 0.23982)
    folder = tmp_path_factory.mktemp("subject")
    model = Path(shutil.copy(ROOT / "package/model-demo-ssd/demo_ssd.onnx", folder / "ssd_mobilenet_v1_075_fp32.onnx"))
    shapes = ROOT / "package/dataset-demo-shapes/shapes.py"
    words = [sys.executable, str(shapes), "--output", str(folder / "shapes"), "--count", "40"]
    subprocess.run(words, check=True, capture_output=True)
    image = next((folder / "shapes/val2017").iterdir())
    return Subject(model, image, mean_average_precision(model, folder / "shapes"))

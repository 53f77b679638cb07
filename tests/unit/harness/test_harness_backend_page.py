"""The backend of docs/backend.md, built from the page, gives the same answers as ONNX Runtime."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ck_repo.models.backends import default_backend, read_backends

PAGE = Path(__file__).resolve().parents[3] / "docs" / "backend.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module of the page with the entry point of its pyproject.toml, as installed."""
    folder = tmp_path_factory.mktemp("installed")
    blocks = dict(re.findall(r"^```(toml|python)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M))
    (folder / "onnx_reference_backend.py").write_text(blocks["python"], encoding="utf-8")
    section = re.search(r'^\[project\.entry-points\."(.+?)"\]\n(.+?) = "(.+?)"', blocks["toml"], re.M)
    name = re.search(r'^name = "(.+?)"\nversion = "(.+?)"', blocks["toml"], re.M)
    assert section
    assert name
    info = folder / f"{name[1].replace('-', '_')}-{name[2]}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name[1]}\nVersion: {name[2]}\n")
    (info / "entry_points.txt").write_text(f"[{section[1]}]\n{section[2]} = {section[3]}\n")
    return folder


def test_engine_reads_declaration(installed: Path) -> None:
    backends = read_backends([installed])
    assert (backends["onnx-reference"].runs, list(backends["onnx-reference"].deps.table("deps"))) == ("onnx", ["onnx"])
    assert default_backend("onnx", backends.values()) == ""


def test_answers_match_onnx_runtime(installed: Path, spec_for: Callable[..., Any], harness: Callable[..., Any]) -> None:
    changes = {"count": 2, "batch_size": 1, "sessions": 1}
    mine = harness(spec_for("offline", model_changes={"backend": "onnx-reference"}, **changes), path=installed)
    reference = harness(spec_for("offline", **changes))
    assert mine.results["backend"] == "onnx-reference"
    assert mine.results["accuracy"]["mAP"] == pytest.approx(reference.results["accuracy"]["mAP"], abs=1e-3)

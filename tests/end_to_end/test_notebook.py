"""The example notebook, executed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("notebook")]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The code cells of the notebook with their outputs."""
    for name in ("nbclient", "nbformat", "ipykernel"):
        pytest.importorskip(name)
    output = tmp_path_factory.mktemp("notebook") / "example.ipynb"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CK_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_example.py", output],
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [cell for cell in json.loads(output.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def _shown(cell: dict[str, Any], kind: str = "text/plain") -> str:
    """The last result of a cell."""
    results = [output for output in cell["outputs"] if output["output_type"] == "execute_result"]
    return "".join(results[-1]["data"][kind])


def test_every_cell_runs(cells: list[dict[str, Any]]) -> None:
    assert all(cell["execution_count"] == number for number, cell in enumerate(cells, 1))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]


def test_runs_are_shown_as_tables_with_progress(cells: list[dict[str, Any]]) -> None:
    assert "samples/s" in _shown(cells[0], "text/html")
    progress = ["".join(row["data"]["text/html"]) for row in cells[0]["outputs"] if row["output_type"] == "display_data"]
    assert progress  # which steps are long enough to be shown depends on the machine
    assert all(re.fullmatch(r".+: \d+ s", text) for text in progress)
    accuracy, _, rate, unit, _ = eval(_shown(cells[1]))  # a tuple of numbers and texts
    assert accuracy > 0.5
    assert rate > 0
    assert unit == "samples/s"


def test_runs_are_compared_and_found(cells: list[dict[str, Any]]) -> None:
    tables = [
        _shown(cell, "text/html") for cell in cells if "api.find" in cell["source"][-1] or cell["source"][-1] == "comparison"
    ]
    assert len(tables) == 2
    assert all("first" in table and "second" in table for table in tables)


def test_stock_dictionaries_are_answered(cells: list[dict[str, Any]]) -> None:
    assert "model-demo-ssd" in _shown(cells[-2])
    assert "onnx" in _shown(cells[-1])

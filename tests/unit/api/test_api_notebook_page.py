"""docs/example.ipynb has the outputs of a run, and no paths of the machine that ran it."""

from __future__ import annotations

import json
import re
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parents[3] / "docs" / "example.ipynb"


def test_every_cell_ran_in_order_without_error() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} == {"stream", "display_data", "execute_result"}


def test_page_contains_no_local_path() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w~./])/(home|root|tmp|Users|work|var|opt|private)/", text)
    assert len(text) < 50_000

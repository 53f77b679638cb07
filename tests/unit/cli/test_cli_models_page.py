"""docs/models.md matches the packages."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_page_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS / "make_models.py"))["page"]()
    assert (DOCS / "models.md").read_text(encoding="utf-8") == page, "run: python docs/make_models.py"


def test_every_table_entry_is_listed() -> None:
    lines = (DOCS / "models.md").read_text(encoding="utf-8").splitlines()
    rows = {line.split("|")[1].strip() for line in lines if line.startswith("| ")}
    assert {str(number) for number in range(1, 12)} <= rows

"""HTML tables for notebooks; all text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A table in HTML; the first cell of each line is a heading."""
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    body = "".join(_row(row) for row in rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if header else ''}<tbody>{body}</tbody></table>"


def _row(row: Sequence[object]) -> str:
    first, *rest = row
    cells = "".join(f'<td style="text-align: left">{_text(cell)}</td>' for cell in rest)
    return f'<tr><th style="text-align: left">{_text(first)}</th>{cells}</tr>'


def _text(cell: object) -> str:
    return escape(str(cell))

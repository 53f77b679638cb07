"""Export experiments as tables: CSV, JSON, Parquet, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ck_repo.report.flat import Cell, flat_table
from ck_repo.report.output import output_file
from ck_repo.report.site_rows import SiteRow
from ck_repo.report.subject import Subject

_PAPER = ("experiment", "model", "precision", "backend", "scenario", "mAP", "figure", "unit", "p99, ms", "verdict")
_MARKDOWN = re.compile(r"[\\|<>`*_\[\]]")  # characters with a meaning in Markdown
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def as_csv(subjects: Sequence[Subject]) -> str:
    """One line for each run, one column for each setting. Text that a spreadsheet would run as a formula gets an apostrophe."""
    columns, rows = flat_table(subjects)
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return sink.getvalue()


def _cell(value: Cell) -> Cell:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_json(subjects: Sequence[Subject]) -> str:
    """A list of objects; each has the keys of its run."""
    return json.dumps(flat_table(subjects)[1], indent=1, ensure_ascii=False) + "\n"


def write_parquet(subjects: Sequence[Subject], path: Path, *, overwrite: bool) -> None:
    """A Parquet file; columns with text and numbers become text."""
    import pyarrow
    import pyarrow.parquet

    columns, rows = flat_table(subjects)
    data: dict[str, object] = {name: _one_type([row.get(name) for row in rows]) for name in columns}
    with output_file(path, overwrite=overwrite) as staging:
        pyarrow.parquet.write_table(pyarrow.table(data), staging)


def _one_type(values: Sequence[Cell]) -> list[Cell]:
    known = {type(value) for value in values if value is not None}
    if known <= {int, float} and float in known:
        return [None if value is None else float(value) for value in values]
    return list(values) if len(known) <= 1 else [None if value is None else str(value) for value in values]


def _paper_rows(subjects: Sequence[Subject]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for row in map(SiteRow, subjects):
        value = "–" if row.value is None else f"{row.value:.5g}"
        accuracy, late = "–" if row.mAP is None else f"{row.mAP:.4f}", "–" if row.p99 is None else f"{row.p99:.4g}"
        rows.append(
            (row.name, row.model, row.precision, row.backend, row.scenario, accuracy, value, row.unit, late, row.verdict)
        )
    return rows


def as_markdown(subjects: Sequence[Subject]) -> str:
    """A table for a README or an issue."""
    lines = [_markdown(_PAPER), "|" + " --- |" * len(_PAPER), *map(_markdown, _paper_rows(subjects))]
    return "\n".join(lines) + "\n"


def _markdown(cells: Sequence[str]) -> str:
    plain = [_MARKDOWN.sub(r"\\\g<0>", " ".join(cell.split())) for cell in cells]
    return f"| {' | '.join(plain)} |"


def as_latex(subjects: Sequence[Subject]) -> str:
    """A table for a paper; it needs the LaTeX package booktabs."""
    lines = [r"\begin{tabular}{lllllrrlrl}", r"\toprule", _latex(_PAPER), r"\midrule"]
    lines += [*map(_latex, _paper_rows(subjects)), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex(cells: Sequence[str]) -> str:
    plain = ["".join(_LATEX.get(sign, sign) for sign in " ".join(cell.split())).replace("–", "--") for cell in cells]
    return " & ".join(plain) + r" \\"


TABLES: Mapping[str, Any] = {"csv": as_csv, "json": as_json, "markdown": as_markdown, "latex": as_latex}

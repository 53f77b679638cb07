"""Write tables as a spreadsheet in the format of Office Open XML (ECMA-376), and as an HTML page."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from html import escape
from typing import Any

from ck_repo.submit.final_report import Table, Value

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_BOLD = 1  # the cell style of headings


def xlsx(tables: Sequence[Table]) -> bytes:
    """A workbook with a sheet for each table, and at least one."""
    sheets = [(table.name[:31], _sheet(table)) for table in tables] or [("no results", _worksheet([]))]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in _parts(sheets).items():
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), _HEAD + text)
    return content.getvalue()


def _parts(sheets: Sequence[tuple[str, str]]) -> dict[str, str]:
    numbers = range(1, len(sheets) + 1)
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>' for n in numbers
    )
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, (name, _) in zip(numbers, sheets, strict=True)
    )
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    styles = f'<Relationship Id="rId{len(sheets) + 1}" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
    return {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{overrides}</Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{related}{styles}</Relationships>',
        "xl/styles.xml": (
            f'<styleSheet xmlns="{_MAIN}"><fonts count="2"><font/><font><b/></font></fonts>'
            '<fills count="2"><fill><patternFill patternType="none"/></fill>'
            '<fill><patternFill patternType="gray125"/></fill></fills>'
            '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
            '<cellXfs count="2"><xf/><xf fontId="1" applyFont="1"/></cellXfs></styleSheet>'
        ),
        **{f"xl/worksheets/sheet{n}.xml": text for n, (_, text) in zip(numbers, sheets, strict=True)},
    }


def _sheet(table: Table) -> str:
    blank = [""] * (len(table.index) - 1)
    heads: list[list[Value]] = [
        [*blank, title, *(column[at] for column in table.columns)] for at, title in enumerate(("Model", "Scenario", "Units"))
    ]
    return _worksheet([*heads, list(table.index)], table.rows)


def _worksheet(heads: Sequence[Sequence[Value]], rows: Sequence[Sequence[Value]] = ()) -> str:
    lines = [(row, _BOLD) for row in heads] + [(row, 0) for row in rows]
    text = "".join(
        f'<row r="{number}">{"".join(_cell(value, at, number, style) for at, value in enumerate(row))}</row>'
        for number, (row, style) in enumerate(lines, 1)
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{text}</sheetData></worksheet>'


def _cell(value: Value, column: int, row: int, style: int) -> str:
    if value is None or value == "":
        return ""
    place = f'r="{_letters(column)}{row}"' + (f' s="{style}"' if style else "")
    if isinstance(value, float):
        return f"<c {place}><v>{value!r}</v></c>"
    text = escape(_FORBIDDEN.sub("", value), quote=False)
    return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _letters(column: int) -> str:
    """The name of a column, counted from 0: A … Z, AA …."""
    name = ""
    number = column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def page(title: str, tables: Sequence[Table]) -> str:
    """A self-contained HTML page with all tables."""
    parts = [_html_table(table) for table in tables] or ["<p>No accepted results.</p>"]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n<style>'
        "body{font:14px sans-serif}table{border-collapse:collapse;margin-bottom:2em}"
        "th,td{border:1px solid #ccc;padding:2px 6px;text-align:left}td.n{text-align:right}th{background:#eee}"
        f"</style></head><body>\n<h1>{escape(title)}</h1>\n{''.join(parts)}</body></html>\n"
    )


def _html_table(table: Table) -> str:
    heads = [f"<th>{escape(name)}</th>" for name in table.index]
    heads += [f"<th>{'<br>'.join(escape(part) for part in column)}</th>" for column in table.columns]
    rows = "".join(f"<tr>{''.join(_html_cell(value) for value in row)}</tr>\n" for row in table.rows)
    return f"<h2>{escape(table.name)}</h2>\n<table><tr>{''.join(heads)}</tr>\n{rows}</table>\n"


def _html_cell(value: Any) -> str:
    if isinstance(value, float):
        return f'<td class="n">{value:,.6g}</td>' if value < 1e6 else f'<td class="n">{value:,.0f}</td>'
    return f"<td>{escape(value or '')}</td>"

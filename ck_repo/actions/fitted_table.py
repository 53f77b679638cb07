"""Tables that fit the terminal: less important columns are dropped, and the longest cells are cut."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from ck_repo.actions.declare import table_lines

_READABLE, _NARROWEST = 16, 6  # minimum width of a cut column: before columns are dropped, and after
_GAP = 2  # between columns


def fitted_table_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str] = (), width: int | None = None
) -> list[str]:
    """A table with a header.

    Parameters
    ----------
    spare
        Columns that may be dropped, the least important first.
    width
        Width of a line in characters; None for that of the terminal, or no limit if stdout is not a terminal.
    """
    if width is None and not sys.stdout.isatty():
        return table_lines(header, rows)
    maximum, names, left = width or shutil.get_terminal_size().columns, list(header), list(spare)
    while True:
        columns = [header.index(name) for name in names]
        table = [[row[column] for column in columns] for row in [header, *rows]]
        widths = _widths(table, maximum, _READABLE if left else _NARROWEST)
        if _total(widths) <= maximum or not left:
            break
        names.remove(left.pop(0))
    first, *others = ([_cut(cell, each) for cell, each in zip(row, widths, strict=True)] for row in table)
    return table_lines(first, others)


def _widths(table: Sequence[Sequence[str]], maximum: int, narrowest: int) -> list[int]:
    """The widths of columns; the widest are cut until the table fits or none is wider than `narrowest`."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    while _total(widths) > maximum and max(widths) > narrowest:
        widths[widths.index(max(widths))] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"

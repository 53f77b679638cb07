"""Tables of text. On a terminal that is too narrow for a table, its columns are folded by rich."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from ck_repo.printable import printable

_GAP = 2  # spaces between columns
_READABLE = 16  # characters: columns are dropped before the others get narrower than this


def table_lines(
    header: Sequence[str], rows: Sequence[Sequence[object]], spare: Sequence[str] = (), width: int | None = None
) -> list[str]:
    """A table with a header.

    Columns are as wide as their longest cell. If the table is wider than the terminal, the `spare` columns are dropped until
    the others have a readable width, and wide cells continue on the next line.

    Parameters
    ----------
    spare
        Columns that may be dropped, the least important first.
    width
        Width of a line in characters; None for that of the terminal, or no limit if stdout is not a terminal.

    Examples
    --------
    >>> table_lines(("id", "name"), [(1, "person"), (44, "bottle")])
    ['id  name', '--  ------', '1   person', '44  bottle']
    """
    names, cells = list(header), [[printable(cell) for cell in row] for row in rows]
    widths = _widths([names, *cells])
    maximum = width or (shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
    if maximum is None or _total(widths) <= maximum:
        return [_line(row, widths) for row in (names, ["-" * each for each in widths], *cells)]
    for name in spare:
        if _total([min(each, _READABLE) for each in widths]) <= maximum:
            break
        column = names.index(name)
        del names[column], widths[column]
        for row in cells:
            del row[column]
    return _folded(names, cells, maximum)


def pair_lines(pairs: Sequence[tuple[str, object]], indent: str = "") -> list[str]:
    """Names and values in two columns without a header.

    They are never folded: the terminal wraps them, so that a path or a command can be copied as one line.

    >>> pair_lines([("mAP", 0.5), ("model", "demo")], "  ")
    ['  mAP    0.5', '  model  demo']
    """
    width = max((len(name) for name, _ in pairs), default=0)
    return [indent + _line([name, str(value)], [width, 0]) for name, value in pairs]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _folded(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The table in lines of at most `width` characters, in the layout of a table that fits."""
    from io import StringIO  # imported here: rich takes longer than most commands

    from rich.console import Console
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    for _ in header:
        table.add_column(overflow="fold")
    table.add_row(*map(Text, header))
    table.add_row(*(Rule(characters="-", style="") for _ in header))
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]

"""Tables of text: as wide as their content, or folded to the width of a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import struct
import subprocess
import sys
import termios

import pytest

from ck_repo.table import pair_lines, table_lines

HEADER, ROWS = ("name", "spare", "text"), [("a" * 30, "b" * 10, "cc " * 10), ("d", "e", "f")]
# run by a child process: its arguments are the cells of a row
PROGRAM = """
import sys
from ck_repo.table import table_lines
print(*table_lines(("first", "second"), [sys.argv[1:]]), sep="\\n")
print("rich" in sys.modules)
"""


def printed(*cells: str, columns: int | None = None) -> list[str]:
    """What a child process prints: to a terminal of so many columns, or to a pipe."""
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "PYTHONPATH")}
    command = [sys.executable, "-c", PROGRAM, *cells]
    if columns is None:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    ours, theirs = os.openpty()
    with open(ours, "rb", buffering=0) as screen:
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            child = subprocess.Popen(command, env=environment, stdout=theirs)
        finally:
            os.close(theirs)
        with child:
            shown = terminal_output(screen)
    assert child.returncode == 0
    return shown.decode().splitlines()


def terminal_output(screen: io.FileIO) -> bytes:
    """Everything written to a terminal. One read may return a part, and the end is an error: EIO."""
    shown = b""
    with contextlib.suppress(OSError):
        while part := screen.read(1 << 16):
            shown += part
    return shown


def test_columns_fit_their_content() -> None:
    assert table_lines(("a", "name"), [(1, "x"), (222, "longer")]) == ["a    name", "---  ------", "1    x", "222  longer"]


def test_pairs_align_values_and_are_not_folded() -> None:
    assert pair_lines([("a", "x" * 300), ("long", 1)], "  ") == [f"  a     {'x' * 300}", "  long  1"]
    assert pair_lines([]) == []


def test_wide_cells_continue_on_next_lines() -> None:
    lines = table_lines(HEADER, ROWS, width=60)
    assert max(map(len, lines)) <= 60
    assert "".join(lines).count("a") == 30 + HEADER[0].count("a") + HEADER[1].count("a")
    assert "".join(lines).count("cc") == 10
    assert lines[-1].split() == ["d", "e", "f"]
    starts = [lines[0].index(name) for name in HEADER]
    assert [lines[-1].index(cell) for cell in "def"] == starts
    assert all(lines[1][start - 2 : start + 1] == "  -" for start in starts[1:])


def test_spare_columns_are_dropped_before_others_get_unreadable() -> None:
    assert table_lines(HEADER, ROWS, ["spare"], 200)[0].split() == ["name", "spare", "text"]
    assert table_lines(HEADER, ROWS, ["spare"], 60)[0].split() == ["name", "spare", "text"]
    assert table_lines(HEADER, ROWS, ["spare"], 40)[0].split() == ["name", "text"]


def test_cells_are_not_markup_and_control_nothing() -> None:
    lines = table_lines(("name", "text"), [("[red]:smile:[/red]", "\x1b[31m" + "x" * 30)], width=30)
    assert "".join(line.split("  ")[0] for line in lines[2:]).replace(" ", "").startswith("[red]:smile")
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("columns", [40, 80])
def test_terminal_gets_folded_table_without_colours(columns: int) -> None:
    *lines, rich = printed("a" * 50, "b" * 50, columns=columns)
    assert max(map(len, lines)) <= columns
    assert len(lines) > 3
    assert "\x1b" not in "".join(lines)
    assert rich == "True"


def test_table_that_fits_needs_no_rich() -> None:
    assert printed("a", "b", columns=40) == ["first  second", "-----  ------", "a      b", "False"]


def test_piped_table_is_not_folded() -> None:
    lines = printed("a" * 200, "b" * 200)
    assert lines[2] == f"{'a' * 200}  {'b' * 200}"
    assert lines[3] == "False"

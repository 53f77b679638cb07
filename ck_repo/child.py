"""A child process that tells how far it is: lines of JSON on its stdout, ``{"progress": …, "done": 3, "total": 10}``,
with a ``note`` that stands behind it.

``{"say": …}`` is a sentence for the user.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from ck_repo import progress

_GRACE = 5  # s between asking a child to end and ending it
_OURS = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")  # of the interpreter that we run in, wrong for another


def run_child(
    command: Sequence[str],
    folder: Path,
    output: Path,
    errors: Path,
    extra: Mapping[str, str] | None = None,
    *,
    watches_stdin: bool = False,
) -> int:
    """Run a Python program of another interpreter, show its progress, keep what it prints.

    When we are interrupted the child is ended with all its own children.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Its working directory.
    output, errors
        Files for what it prints, without the lines of progress, and for its stderr.
    extra
        Variables of its environment.
    watches_stdin
        Whether its stdin is a pipe that stays open as long as we live, by which it notices when we are killed; else it is
        empty.

    Returns
    -------
    int
        Its exit status, negative for a signal.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _OURS} | dict(extra or {})
    stdin = subprocess.PIPE if watches_stdin else subprocess.DEVNULL
    with (
        open(output, "w", encoding="utf-8") as kept,
        open(errors, "wb") as problems,
        subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, stdin=stdin, stdout=subprocess.PIPE,
            stderr=problems, text=True, encoding="utf-8", errors="replace",
        ) as process,
    ):  # fmt: skip
        try:
            assert process.stdout is not None
            _follow(process.stdout, kept)
            return process.wait()
        finally:
            _end(process)


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, whatever its encoding."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def _follow(lines: IO[str], kept: IO[str]) -> None:
    """Lines of progress move the bar; everything else is kept."""
    title = ""
    with ExitStack() as bars:
        task: progress.Task | None = None
        for line in lines:
            row = _told(line)
            if row and "say" in row:
                progress.say(str(row["say"]))
                continue
            if row is None:
                kept.write(line)
                kept.flush()
                continue
            if task is None or row["progress"] != title:
                bars.close()
                title = str(row["progress"])
                task = bars.enter_context(progress.task(title, row.get("total"), str(row.get("unit", ""))))
            task.advance_to(float(row.get("done") or 0), row.get("total"), str(row.get("note", "")))


def _told(line: str) -> dict[str, Any] | None:
    """A line of progress, or something to say, as it was meant; None for what the child just prints."""
    if not line.startswith(('{"progress"', '{"say"')):
        return None
    try:
        row = json.loads(line)
        numbers = (row.get("done") or 0, row.get("total") or 0)
    except (ValueError, AttributeError):
        return None
    return row if all(isinstance(number, int | float) for number in numbers) else None


def _end(process: subprocess.Popen[str]) -> None:
    """Make sure that nothing of the child goes on."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

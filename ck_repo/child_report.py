"""What a child process reports on its stdout: lines of JSON, ``{"progress": …, "done": 3, "total": 10}`` with an optional
``note``, and ``{"say": …}`` with a sentence for the user.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from typing import IO, Any

from ck_repo import progress


def follow(lines: Iterable[str], kept: IO[str]) -> None:
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

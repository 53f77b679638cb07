"""What a child process reports on its stdout: lines of JSON, ``{"progress": …, "done": 3, "total": 10}`` with an optional
``note``, and ``{"say": …}`` with a message for the user.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from ck_repo import progress
from ck_repo.contract.record import optional, read


def follow(lines: Iterable[str], kept: IO[str], *, shown: bool = True) -> None:
    """Lines of progress move the bar, if it is to be shown; everything else is kept."""
    title = ""
    with ExitStack() as bars:
        task: progress.Task | None = None
        for line in lines:
            row = _parse(line)
            if row and not shown:
                continue
            if row and row.say is not None:
                progress.say(row.say)
                continue
            if row is None:
                kept.write(line)
                kept.flush()
                continue
            if task is None or row.progress != title:
                bars.close()
                title = row.progress
                task = bars.enter_context(progress.task(title, row.total, row.unit))
            task.advance_to(row.done, row.total, row.note)


@dataclass(frozen=True)
class _Report:
    """Whether a line of output is a report."""

    progress: str = optional("")
    say: str | None = optional()
    done: float = optional(0.0)
    total: float | None = optional()
    unit: str = optional("")
    note: str = optional("")


def _parse(line: str) -> _Report | None:
    """Parse a line of output as a report; None if it is ordinary output."""
    if not line.startswith(('{"progress"', '{"say"')):
        return None
    try:
        return read(_Report, json.loads(line))
    except (ValueError, RecursionError):
        return None

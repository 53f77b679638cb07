"""A child process that tells how far it is: lines of JSON on its stdout, ``{"progress": …, "done": 3, "total": 10}``,
with a ``note`` that stands behind it.

``{"say": …}`` is a sentence for the user.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

from ck_repo import progress
from ck_repo.child_environment import child_environment

_GRACE = 5  # s between asking a child to end and ending it
_LOOK = 0.5  # s between two looks at a child that says nothing
_LINGER = 2.0  # s that are waited for the end of its output once it has ended: a process outside its group may hold it open


def run_child(
    command: Sequence[str],
    folder: Path,
    output: Path,
    errors: Path,
    extra: Mapping[str, str] | None = None,
    *,
    watches_stdin: bool = False,
    watch: Callable[[], None] | None = None,
) -> int:
    """Run a Python program of another interpreter, show its progress, keep what it prints.

    When it ends, or we are interrupted, what it started ends with it: all processes of its group.

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
    watch
        Called now and then while it runs; an exception of it ends the child.

    Returns
    -------
    int
        Its exit status, negative for a signal.
    """
    environment = child_environment(extra)
    stdin = subprocess.PIPE if watches_stdin else subprocess.DEVNULL
    with (
        open(output, "w", encoding="utf-8") as kept,
        open(errors, "wb") as problems,
        subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, stdin=stdin, stdout=subprocess.PIPE,
            stderr=problems,
        ) as process,
    ):  # fmt: skip
        try:
            _follow(_lines(process, watch), kept)
            _await_end(process, watch)
        finally:
            _end(process)
    return process.returncode


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, whatever its encoding."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def _lines(process: subprocess.Popen[bytes], watch: Callable[[], None] | None) -> Iterator[str]:
    """Lines of a process's output, to its end, or until a moment after the process has ended."""
    assert process.stdout is not None
    source = process.stdout.fileno()
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest, looked, ended = "", time.monotonic(), 0.0
    while True:
        ready = select.select([source], [], [], _LOOK)[0]
        now = time.monotonic()
        if not ready or now - looked >= _LOOK:
            looked = now
            if not ended and _has_ended(process):
                ended = now
                _kill_group(process)
            if ended and now - ended > _LINGER:
                break
            if watch and not ended:
                watch()
        if ready:
            content = os.read(source, 1 << 16)
            *whole, rest = (rest + decoder.decode(content, final=not content)).split("\n")
            yield from (f"{line}\n" for line in whole)
            if not content:
                break
    if rest:
        yield rest


def _await_end(process: subprocess.Popen[bytes], watch: Callable[[], None] | None) -> None:
    """Wait for a process that has closed its output: most often it has ended, or is about to."""
    pause = 0.001
    while not _has_ended(process):
        if watch:
            watch()
        time.sleep(pause)
        pause = min(2 * pause, _LOOK)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended; it is not reaped, so that its group keeps its number."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End everything that a process, not yet reaped, has started in its group."""
    with suppress(ProcessLookupError, PermissionError):  # macOS answers the latter for a group of zombies
        os.killpg(process.pid, signal.SIGKILL)


def _follow(lines: Iterable[str], kept: IO[str]) -> None:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing of the child goes on."""
    if process.returncode is not None:  # reaped: its group was ended before
        return
    if not _has_ended(process):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        until = time.monotonic() + _GRACE
        while not _has_ended(process) and time.monotonic() < until:
            time.sleep(0.02)
    _kill_group(process)
    process.wait()

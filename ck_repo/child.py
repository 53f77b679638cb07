"""The one module that starts child processes for the engine."""

from __future__ import annotations

import codecs
import io
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ck_repo.child_environment import child_environment
from ck_repo.child_report import follow

_GRACE = 5  # s between SIGTERM and SIGKILL
_LOOK = 0.5  # s between two checks of a child that prints nothing
_LINGER = 2.0  # s to wait for the end of the output after the child has ended: a process outside its group may keep it open


Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Finished:
    """A child process that has ended: its exit status, negative for a signal, and its output."""

    status: int
    output: bytes
    errors: bytes


def capture(
    command: Sequence[str], environment: Mapping[str, str], *, folder: Path | None = None, timeout: float | None = None
) -> Finished:
    """Run a program without input, and return its output.

    Parameters
    ----------
    folder
        Its working directory; the current one if None.
    timeout
        Seconds after which it is killed.

    Raises
    ------
    TimeoutError
        If it does not end within `timeout`.
    OSError
        If it cannot be started.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{command[0]} did not end within {timeout} s") from None
    return Finished(done.returncode, done.stdout, done.stderr)


def attach(command: Sequence[str], environment: Mapping[str, str], *, output: int | None = None) -> int:
    """Run a program that uses our terminal, such as a shell; return its exit status.

    Parameters
    ----------
    output
        File descriptor for its stdout; ours if None.
    """
    return subprocess.run(command, env=environment, stdout=output).returncode


@contextmanager
def background(
    command: Sequence[str],
    environment: Mapping[str, str],
    output: IO[Any],
    *,
    folder: Path | None = None,
    grace: float = _GRACE,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program without input during the block; then terminate it and all processes that it started.

    Parameters
    ----------
    output
        File for its stdout and stderr.
    folder
        Its working directory; the current one if None.
    grace
        Seconds between SIGTERM and SIGKILL.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        _end(process, grace)


@contextmanager
def conversation(
    command: Sequence[str], environment: Mapping[str, str], errors: IO[Any], *, grace: float = _GRACE
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program while the body runs, which writes to its stdin and reads its stdout; then stdin is closed.

    Parameters
    ----------
    errors
        File for its stderr.
    grace
        Seconds that it has to end after that before it is ended.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        ended_within(process, grace)
        _end(process, grace)
        process.stdout.close()


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a background process; return whether it has ended."""
    until, pause = time.monotonic() + seconds, 0.001
    while not _has_ended(process):
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    return True


def exit_status(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status of a background process, negative for a signal; None while it runs."""
    if not hasattr(os, "waitid"):
        return process.poll()
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # not reaped: its group keeps its number
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def run_child(
    command: Sequence[str],
    folder: Path,
    output: Path,
    errors: Path,
    extra: Mapping[str, str] | None = None,
    *,
    watches_stdin: bool = False,
    watch: Callable[[], None] | None = None,
    shown: bool = True,
) -> int:
    """Run a program that reports as `child_report` describes: show its progress and keep its output.

    When it ends, or we are interrupted, all processes of its group are ended, too.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Its working directory.
    output, errors
        Files for its stdout, without the lines of progress, and for its stderr.
    extra
        Environment variables for it.
    watches_stdin
        Whether its stdin is a pipe that stays open as long as we run, so that it notices when we are killed; else stdin is
        empty.
    watch
        Called now and then while it runs; an exception of it ends the child.
    shown
        Whether its progress is shown: not of several children at once.

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
            follow(_lines(process, watch), kept, shown=shown)
            _await_end(process, watch)
        finally:
            _end(process)
    return process.returncode


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, in any encoding."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def _lines(process: subprocess.Popen[bytes], watch: Callable[[], None] | None) -> Iterator[str]:
    """Lines of a process's output until its end, or until shortly after the process has ended."""
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
    """Wait for a process that has closed its output, which usually ends at once."""
    pause = 0.001
    while not _has_ended(process):
        if watch:
            watch()
        time.sleep(pause)
        pause = min(2 * pause, _LOOK)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended; it is not reaped, so that the number of its group is not reused."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End everything that a process that is not reaped yet has started in its group."""
    with suppress(ProcessLookupError, PermissionError):  # macOS reports the latter for a group of zombies
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes], grace: float = _GRACE) -> None:
    """End a child and everything that it started: with SIGTERM, and after `grace` seconds with SIGKILL."""
    if process.returncode is not None:  # reaped: its group has ended
        return
    if not _has_ended(process):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        ended_within(process, grace)
    _kill_group(process)
    process.wait()

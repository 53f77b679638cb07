"""A user's command that runs during the benchmark, for example to read a power meter."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ck_repo.child import background, ended_within, exit_status, last_lines
from ck_repo.errors import RunError, UsageError

_AT_ONCE = 1.0  # s
_GRACE = 30  # s between SIGTERM and SIGKILL, for the command to write its data


@contextmanager
def metered(command: str, folder: Path) -> Iterator[None]:
    """Run `command` in `folder` during the block; then end it with SIGTERM.

    Parameters
    ----------
    command
        Words as for a shell, but no shell is used; nothing runs if it is empty. Its output goes to ``meter.log``.

    Raises
    ------
    RunError
        If it cannot be started, or ends before the run does, so that the measurement would be incomplete.
    """
    if not command:
        yield
        return
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--meter={command}: {error}") from None
    if not words:
        raise UsageError("--meter= is empty")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "meter.log"
    environment = dict(os.environ) | {"CK_RUN_FOLDER": str(folder)}
    with open(log, "wb") as sink, ExitStack() as running:
        try:
            process = running.enter_context(background(words, environment, sink, folder=folder, grace=_GRACE))
        except OSError as error:
            raise RunError(
                f"--meter={command} cannot be started: {error.strerror}", hint="use the name of an installed program"
            ) from None
        ended_within(process, _AT_ONCE)  # a command that cannot work usually ends at once: report it before the run
        _refuse_ended(exit_status(process), log)
        yield
        _refuse_ended(exit_status(process), log)


def _refuse_ended(early: int | None, log: Path) -> None:
    if early is not None:
        raise RunError(
            f"the meter's command ended before the run did (exit status {early})", tail=last_lines(log),
            hint="it has to run until it gets SIGTERM; it is not run through a shell: to use one, write sh -c '…'",
        )  # fmt: skip

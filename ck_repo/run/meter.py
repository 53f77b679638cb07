"""A command of the user's around the run: one that reads a power meter, say."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ck_repo.child import background, ended_within, exit_status, last_lines
from ck_repo.errors import RunError, UsageError

_AT_ONCE = 1.0  # s
_GRACE = 30  # s, for the command to write what it has when it is told to end


@contextmanager
def metered(command: str, folder: Path) -> Iterator[None]:
    """Run `command` in `folder` as long as the body runs; it is ended by SIGTERM then.

    Parameters
    ----------
    command
        Words as in a shell, but no shell; nothing runs if it is empty. What it prints goes to ``meter.log``.

    Raises
    ------
    RunError
        If it cannot be started, or ends before the run does: the measurement would be of a part.
    """
    if not command:
        yield
        return
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--meter={command}: {error}") from None
    if not words:
        raise UsageError("--meter= names no command")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "meter.log"
    environment = dict(os.environ) | {"CK_RUN_FOLDER": str(folder)}
    with open(log, "wb") as sink, ExitStack() as running:
        try:
            process = running.enter_context(background(words, environment, sink, folder=folder, grace=_GRACE))
        except OSError as error:
            raise RunError(
                f"--meter={command} cannot be started: {error.strerror}", hint="name a program that is here"
            ) from None
        ended_within(process, _AT_ONCE)  # a command that cannot work mostly ends at once: report it before the run
        _refuse_ended(exit_status(process), log)
        yield
        _refuse_ended(exit_status(process), log)


def _refuse_ended(early: int | None, log: Path) -> None:
    if early is not None:
        raise RunError(
            f"the meter's command ended before the run did (exit status {early})", tail=last_lines(log),
            hint="it has to go on until it is told to end by SIGTERM; it is no shell's line: for one, sh -c '…'",
        )  # fmt: skip

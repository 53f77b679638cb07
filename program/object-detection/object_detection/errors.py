"""Errors of the harness: a message for the user in error.json, the traceback in stderr.log, an exit status."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

EXIT_STATUS = 3
_failing = threading.Lock()


class HarnessError(Exception):
    """An error for the user: what failed and why, and what to do.

    Attributes
    ----------
    is_printed
        Whether another process has printed the traceback.
    """

    is_printed = False

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


@contextmanager
def errors_as_command() -> Iterator[None]:
    """For programs of recipes: print errors for the user to stderr, without a traceback."""
    try:
        yield
    except HarnessError as error:
        print("\n".join(part for part in (error.what, error.hint) if part), file=sys.stderr)
        sys.exit(EXIT_STATUS)


def described(error: BaseException) -> HarnessError:
    """An error as the user gets it."""
    return error if isinstance(error, HarnessError) else HarnessError(f"{type(error).__name__}: {error}")


def fail(error: BaseException, folder: Path) -> NoReturn:
    """End the process at once with the cause of the failure.

    LoadGen waits in native code for answers that will not come, so a failed worker cannot return; and it must not send empty
    answers, because they would count as valid.

    Parameters
    ----------
    error
        The cause. Its traceback goes to stderr; that of an error for the user has a message and a hint.
    folder
        The run folder, for error.json, which the engine reads.
    """
    _failing.acquire()  # never released: if several workers fail at once, the first reports the cause and ends them all
    try:
        if not (isinstance(error, HarnessError) and error.is_printed):
            traceback.print_exception(error)
        failure = described(error)
        (folder / "error.json").write_text(json.dumps({"error": failure.what, "hint": failure.hint}))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(EXIT_STATUS)

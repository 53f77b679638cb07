"""``python -m object_detection spec.json``."""

from __future__ import annotations

import faulthandler
import os
import signal
import stat
import sys
from pathlib import Path
from typing import NoReturn

from object_detection.errors import fail


def end_with_parent() -> None:
    """End when the pipe on stdin closes: the engine is gone, killed perhaps, and nobody waits for the results.

    A process of its own watches the pipe: no thread of ours would run while a backend holds the interpreter's lock, and
    LoadGen's native code does not see signals while a test runs. It is forked before anything is imported that starts threads.
    """
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        harness = os.getpid()
        if os.fork() == 0:
            _guard(harness)


def _guard(harness: int) -> NoReturn:
    """Wait for the end of the pipe, then end the harness, with what its backends have started where the group is ours."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)  # the engine reads to the end of our stdout
        os.dup2(nothing, 2)
        while os.read(0, 4096):
            pass
        if os.getpgrp() == harness:
            os.killpg(harness, signal.SIGKILL)
        elif os.getppid() == harness:
            os.kill(harness, signal.SIGKILL)
    finally:
        os._exit(0)


if __name__ == "__main__":
    spec = Path(sys.argv[1]).resolve()
    try:
        end_with_parent()
        faulthandler.enable()  # a crash of the framework leaves its stack in stderr.log
        from object_detection.pipeline import run  # here, so that a package that is absent is told like any other fault

        run(spec)
    except BaseException as error:
        fail(error, spec.parent)

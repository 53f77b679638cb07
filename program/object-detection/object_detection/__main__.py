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
    """End the process when the pipe on stdin closes: the engine has ended or was killed, and nobody reads the results.

    A separate process watches the pipe, because none of our threads run while a backend holds the interpreter's lock, and
    LoadGen's native code ignores signals during a test. It is forked before any import that starts threads.
    """
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        harness = os.getpid()
        if os.fork() == 0:
            _guard(harness)


def _guard(harness: int) -> NoReturn:
    """Wait for the end of the pipe, then end the harness and, if the process group is ours, what its backends have started."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)  # close it: the engine reads to the end of our stdout
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
        faulthandler.enable()  # write the stack to stderr.log if the framework crashes
        from object_detection.pipeline import run  # imported here, so that a missing package is reported like other errors

        run(spec)
    except BaseException as error:
        fail(error, spec.parent)

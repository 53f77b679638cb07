"""A separate process that ends the harness with the process that started it."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Sequence
from typing import NoReturn


def end_with_parent(inherited: Sequence[int] = ()) -> None:
    """End the process when the pipe on stdin closes: the engine has ended or was killed, and nobody reads the results.

    A separate process watches the pipe, because none of our threads run while a backend holds the interpreter's lock, and
    LoadGen's native code ignores signals during a test. It is forked before any import that starts threads.

    Parameters
    ----------
    inherited
        Descriptors that the separate process closes: it must not keep a connection open that this process has.
    """
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        harness = os.getpid()
        if os.fork() == 0:
            _guard(harness, inherited)


def _guard(harness: int, inherited: Sequence[int]) -> NoReturn:
    """Wait for the end of the pipe, then end the harness and, if the process group is ours, what its backends have started."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)  # close it: the engine reads to the end of our stdout
        os.dup2(nothing, 2)
        for each in inherited:
            os.close(each)
        while os.read(0, 4096):
            pass
        if os.getpgrp() == harness:
            os.killpg(harness, signal.SIGKILL)
        elif os.getppid() == harness:
            os.kill(harness, signal.SIGKILL)
    finally:
        os._exit(0)

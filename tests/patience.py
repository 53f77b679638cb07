"""For tests on a machine that is slow or stands still for a while: how long they wait, and what they repeat."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

PATIENCE = 300  # s; only reached by what hangs
_TRIES = 3
Found = TypeVar("Found")


def until(condition: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Wait for a condition; while a process runs, if one is given."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process is None or process.poll() is None, process.returncode
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def until_valid(run: Callable[[], Found], valid: Callable[[Found], object]) -> Found:
    """The result of a measurement, which is repeated up to twice if it is not valid: a machine that stood still spoils it."""
    for _ in range(1, _TRIES):
        found = run()
        if valid(found):
            return found
    return run()

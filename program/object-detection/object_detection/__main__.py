"""``python -m object_detection spec.json``."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

from object_detection.errors import EXIT_STATUS, fail


def end_with_parent() -> None:
    """End when the pipe on stdin closes: whoever started us is gone, killed perhaps, and nobody waits for the results.

    LoadGen's native code does not see signals while a test runs; this thread does not depend on it.
    """
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def wait() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would be held when the interpreter ends
            pass
        os._exit(EXIT_STATUS)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    spec = Path(sys.argv[1]).resolve()
    try:
        end_with_parent()
        from object_detection.pipeline import run  # here, so that a package that is absent is told like any other fault

        run(spec)
    except BaseException as error:
        fail(error, spec.parent)

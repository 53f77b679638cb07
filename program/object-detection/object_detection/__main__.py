"""``python -m object_detection spec.json``."""

from __future__ import annotations

import sys
from pathlib import Path

from object_detection.errors import fail

if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve().parent
    try:
        from object_detection.pipeline import run  # here, so that a package that is absent is told like any other fault

        run(Path(sys.argv[1]).resolve())
    except BaseException as error:
        fail(error, folder)

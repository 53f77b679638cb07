"""``python -m object_detection spec.json``."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path

from object_detection.errors import fail
from object_detection.guard import end_with_parent

if __name__ == "__main__":
    spec = Path(sys.argv[1]).resolve()
    try:
        end_with_parent()
        faulthandler.enable()  # write the stack to stderr.log if the framework crashes
        from object_detection.pipeline import run  # imported here, so that a missing package is reported like other errors

        run(spec)
    except BaseException as error:
        fail(error, spec.parent)

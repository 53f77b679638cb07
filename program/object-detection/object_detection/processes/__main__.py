"""``python -m object_detection.processes spec.json CONNECTION IMAGES ANSWERS``, with descriptors that are inherited."""

from __future__ import annotations

import faulthandler
import signal
import sys
from pathlib import Path

from object_detection.guard import end_with_parent

if __name__ == "__main__":
    descriptors = tuple(map(int, sys.argv[2:]))
    end_with_parent(descriptors)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that has LoadGen, with which this one ends
    faulthandler.enable()
    from object_detection.processes.child import run  # imported here: the guard is forked before threads are started

    run(Path(sys.argv[1]), descriptors)

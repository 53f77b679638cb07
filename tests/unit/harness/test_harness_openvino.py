"""OpenVINO's Python bindings in two concurrent threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import object_detection
import pytest
from patience import PATIENCE

pytest.importorskip("openvino")
HARNESS = Path(object_detection.__file__).parents[1]

# both threads use an OpenVINO type for the first time; without the backend's import most of these processes hang
_TWO_THREADS = """
import sys, threading
sys.path.insert(0, sys.argv[1])
import object_detection.backends.openvino
import openvino
sys.setswitchinterval(1e-6)
start = threading.Barrier(2)
def convert():
    start.wait()
    openvino.Type.f32.to_dtype()
threads = [threading.Thread(target=convert) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_two_sessions_may_start_concurrently() -> None:
    for _ in range(3):
        subprocess.run([sys.executable, "-c", _TWO_THREADS, str(HARNESS)], check=True, timeout=PATIENCE)

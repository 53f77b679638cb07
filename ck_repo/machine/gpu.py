"""Whether the machine may have a GPU of NVIDIA, asked without any framework."""

from __future__ import annotations

import sys
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")
DEVICES = Path("/dev")
_NAMES = ("nvidia[0-9]*", "dxg", "nvhost-ctrl*", "nvgpu")  # of a driver for cards, of WSL, of boards


def has_cuda() -> bool:
    """Whether NVIDIA's driver shows a device; where that cannot be told, the framework is left to say."""
    return sys.platform != "linux" or DRIVER.exists() or any(path for name in _NAMES for path in DEVICES.glob(name))

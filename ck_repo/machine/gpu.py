"""Whether the machine may have an NVIDIA GPU, without importing a framework."""

from __future__ import annotations

import sys
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")
DEVICES = Path("/dev")
_NAMES = ("nvidia[0-9]*", "dxg", "nvhost-ctrl*", "nvgpu")  # of a driver for cards, of WSL, of boards


def has_cuda() -> bool:
    """Whether NVIDIA's driver shows a device; if that is unknown, the framework decides."""
    return sys.platform != "linux" or DRIVER.exists() or any(path for name in _NAMES for path in DEVICES.glob(name))

"""Whether the machine has a GPU of NVIDIA, asked without any framework."""

from __future__ import annotations

from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia/version")
_DEVICES = Path("/dev")


def has_cuda() -> bool:
    """Whether NVIDIA's driver is loaded and has a device."""
    return _DRIVER.exists() or any(_DEVICES.glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()  # the last under WSL

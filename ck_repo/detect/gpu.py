"""Whether the machine has a GPU of NVIDIA, asked without any framework."""

from __future__ import annotations

from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")
DEVICES = Path("/dev")


def has_cuda() -> bool:
    """Whether NVIDIA's driver is loaded and has a device."""
    return DRIVER.exists() or any(DEVICES.glob("nvidia[0-9]*")) or (DEVICES / "dxg").exists()  # the last under WSL

"""NVIDIA's GPUs by name: ``cuda`` is the first that is visible, ``cuda:1`` the second."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia/gpus")
FIRST = "cuda"


def gpus(count: int) -> tuple[str, ...]:
    """The names of so many GPUs."""
    return tuple(FIRST if number == 0 else f"{FIRST}:{number}" for number in range(count))


def number_of(device: str) -> int | None:
    """The number of a GPU by its name; None for another device."""
    name, _, number = device.partition(":")
    return int(number or 0) if name == FIRST else None


def visible(environment: Mapping[str, str] = os.environ, driver: Path = _DRIVER) -> int:
    """How many GPUs CUDA sees, for frameworks that do not say; at least one.

    Parameters
    ----------
    environment
        Variables; ``CUDA_VISIBLE_DEVICES`` lists the GPUs if it is not empty.
    driver
        The folder in which NVIDIA's driver for Linux has a folder for each GPU.
    """
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    found = len(chosen.split(",")) if chosen else len(list(driver.glob("*")))
    return max(1, found)

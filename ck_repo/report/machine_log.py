"""The engine's record of the machine during a run."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from ck_repo.store.plain_file import flaw, opened

_FILE = "machine.jsonl"
_MAXIMUM = 64 << 20  # bytes
_COLUMNS = ("busy", "mhz", "celsius", "available", "gpu_celsius", "gpu_mhz", "gpu_busy")


@dataclass(frozen=True)
class Look:
    """The machine at a time: Unix time in s, busy CPUs 0–1, MHz, °C and available bytes, and °C, MHz and load of the GPUs.

    What was not known is None.
    """

    at: float
    busy: float | None
    mhz: float | None
    celsius: float | None
    available: float | None
    gpu_celsius: float | None = None
    gpu_mhz: float | None = None
    gpu_busy: float | None = None


def read_machine_log(folder: Path) -> list[Look]:
    """The samples in order; empty if there are none. Unreadable lines are skipped."""
    if flaw(folder, _FILE):
        return []
    found = []
    with opened(folder, _FILE, maximum=_MAXIMUM) as file:
        for line in file:
            try:
                row = json.loads(line)
                values = [None if row.get(name) is None else _finite(row[name]) for name in _COLUMNS]
                found.append(Look(_finite(row["at"]), *values))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                continue
    return sorted(found, key=lambda look: look.at)


def _finite(value: object) -> float:
    """A finite number; Python's JSON also has NaN and infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)

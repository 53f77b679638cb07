"""The properties of the machine that affect results."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ck_repo.contract.record import optional, other_keys

_SAME = ("cpu", "machine", "cores_usable", "memory", "os")  # what makes two machines the same for measured settings


@dataclass(frozen=True)
class Platform:
    """This machine, or that of a lock or an experiment.

    Attributes
    ----------
    cpu, machine
        Name of the processor, and its architecture.
    cores_usable, cores_logical, cores_physical, sockets
        Processors that this process may use, processors of the system, cores, and chips.
    memory
        In bytes.
    governor
        Of the frequency.
    load
        Number of waiting processes, mean of 1 minute; None if unknown.
    """

    cpu: str = optional("")
    machine: str = optional("")
    cores_usable: int | None = optional()
    cores_logical: int | None = optional()
    cores_physical: int | None = optional()
    sockets: int | None = optional()
    memory: int | None = optional()
    os: str = optional("")
    kernel: str = optional("")
    governor: str = optional("")
    load: float | None = optional()
    others: Mapping[str, Any] = other_keys()


def describe_platform() -> Platform:
    """This machine."""
    info = _read("/proc/cpuinfo")
    return Platform(
        cpu=_field(info, "model name") or platform.processor() or platform.machine(),
        machine=platform.machine(),
        cores_usable=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cores_logical=os.cpu_count() or 1,
        cores_physical=_physical_cores(info),
        sockets=len(set(re.findall(r"^physical id\s*:\s*(\d+)", info, re.M))) or 1,
        memory=_memory(),
        os=_os_name(),
        kernel=f"{platform.system()} {platform.release()}",
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or "unknown",
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def machine_of(found: Platform) -> dict[str, object]:
    """What is compared to know whether something was measured on such a machine."""
    return {name: getattr(found, name) for name in _SAME}


@cache
def same_machine() -> dict[str, object]:
    """`machine_of` this machine."""
    return machine_of(describe_platform())


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(info: str, name: str) -> str:
    match = re.search(rf"^{name}\s*:\s*(.+)$", info, re.M)
    return match[1].strip() if match else ""


def _physical_cores(info: str) -> int:
    packages = re.findall(r"^physical id\s*:\s*(\d+)", info, re.M)
    pairs = set(zip(packages, re.findall(r"^core id\s*:\s*(\d+)", info, re.M), strict=False))
    return len(pairs) or os.cpu_count() or 1


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _os_name() -> str:
    try:
        release = platform.freedesktop_os_release()
        return release.get("PRETTY_NAME", release["NAME"])
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"

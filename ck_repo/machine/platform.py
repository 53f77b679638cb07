"""The machine: what somebody needs to know to judge a figure."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any


def describe_platform() -> dict[str, Any]:
    """CPU, cores, memory (bytes), operating system, frequency governor and load (processes that wait, mean of 1 minute)."""
    info = _read("/proc/cpuinfo")
    return {
        "cpu": _field(info, "model name") or platform.processor() or platform.machine(),
        "machine": platform.machine(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "cores_logical": os.cpu_count() or 1,
        "cores_physical": _physical_cores(info),
        "sockets": len(set(re.findall(r"^physical id\s*:\s*(\d+)", info, re.M))) or 1,
        "memory": _memory(),
        "os": _os_name(),
        "kernel": f"{platform.system()} {platform.release()}",
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or "unknown",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


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

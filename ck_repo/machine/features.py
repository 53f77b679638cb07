"""The machine in the format of CK's `detect platform`: operating system, CPU, GPUs and machine."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

from ck_repo.machine.gpu import has_cuda
from ck_repo.machine.hardware import nvidia_gpus
from ck_repo.machine.platform import describe_platform

_DMI = Path("/sys/class/dmi/id")
_FREQUENCIES = Path("/sys/devices/system/cpu")
_CPUINFO = Path("/proc/cpuinfo")


def os_features() -> dict[str, str]:
    """Names and word size of the operating system."""
    found = describe_platform()
    return {
        "name": found.os,
        "name_short": platform.system(),
        "name_long": platform.platform(),
        "bits": "64" if sys.maxsize > 2**32 else "32",
        "abi": platform.machine(),
    }


def cpu_features() -> dict[str, object]:
    """Name, counts, instruction sets and frequencies (MHz, by processor) of the CPU."""
    found = describe_platform()
    info = _read(_CPUINFO)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.M)
    now = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", info, re.M)
    return {
        "name": found.cpu,
        "num_proc": found.cores_logical,
        "num_cores": found.cores_physical,
        "sockets": found.sockets,
        "cpu_abi": platform.machine(),
        "cpu_features": flags[1].strip() if flags else "",
        "current_freq": {str(number): float(value) for number, value in enumerate(now)},
        "max_freq": _maximum(),
        "governor": found.governor,
    }


def gpu_features() -> list[dict[str, object]]:
    """Name, vendor, memory (bytes), clock (MHz), driver and CUDA capability of each NVIDIA GPU."""
    rows = nvidia_gpus("index", "name", "memory.total", "clocks.max.sm", "driver_version", "compute_cap")
    found: list[dict[str, object]] = [
        {
            "gpu_id": index,
            "name": name,
            "vendor": "NVIDIA",
            "memory": int(memory) * 2**20 if memory.isdigit() else None,
            "max_freq": float(clock) if clock.isdigit() else None,
            "driver": driver,
            "compute_capability": capability,
        }
        for index, name, memory, clock, driver, capability in rows
    ]
    if not found and sys.platform == "linux" and has_cuda():
        found = [{"gpu_id": "", "name": "an NVIDIA GPU that nvidia-smi does not report", "vendor": "NVIDIA"}]
    return found


def machine_features() -> dict[str, str]:
    """Name, vendor and model of the machine, and its memory (bytes)."""
    vendor, model = _read(_DMI / "sys_vendor").strip(), _read(_DMI / "product_name").strip()
    if not model:  # boards have a device tree instead of DMI
        model = _read(Path("/proc/device-tree/model")).strip("\0\n ")
    name = " ".join(part for part in (vendor, model) if part) or platform.node()
    return {"name": name, "vendor": vendor, "model": model, "memory": str(describe_platform().memory)}


def _maximum() -> dict[str, float]:
    found = {}
    for path in sorted(_FREQUENCIES.glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")):
        text = _read(path).strip()
        if text.isdigit():  # kHz
            found[path.parents[1].name.removeprefix("cpu")] = int(text) / 1e3
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

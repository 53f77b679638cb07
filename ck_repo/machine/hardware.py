"""The machine's hardware for the description of a system, as far as it is detected automatically."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from ck_repo.child import capture

_TIMEOUT = 15  # s


def describe_hardware() -> dict[str, str]:
    """Information from lscpu, lsblk, /sys and nvidia-smi; unknown values are omitted.

    Returns
    -------
    dict
        ``frequency``, ``caches``, ``interconnect``, ``memory_configuration``, ``storage_capacity``, ``storage_type``,
        ``networking``, ``accelerators`` (a count), ``accelerator``, ``accelerator_memory``, ``accelerator_frequency``.
    """
    found = {**_processor(), **_storage(), **_network(), **_accelerators()}
    return {key: value for key, value in found.items() if value}


def _ask(*command: str) -> str:
    """The output of a program; empty if it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = capture(command, os.environ, timeout=_TIMEOUT)
    except OSError:
        return ""
    return done.output.decode(errors="replace") if done.status == 0 else ""


def _json(*command: str) -> dict[str, object]:
    try:
        content = json.loads(_ask(*command) or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


_CACHES = ("L1d cache", "L1i cache", "L2 cache", "L3 cache")


def _processor() -> dict[str, str]:
    listed = _flat(_json("lscpu", "--json").get("lscpu"))
    rows = {str(row.get("field", "")).rstrip(":"): str(row.get("data", "")) for row in listed}
    caches = [f"{name.removesuffix(' cache')}: {rows[name]}" for name in _CACHES if name in rows]
    top = rows.get("CPU max MHz") or rows.get("CPU MHz") or _megahertz()
    return {"frequency": f"{float(top):.0f} MHz" if re.fullmatch(r"[\d.]+", top) else "", "caches": ", ".join(caches)}


def _objects(value: object) -> list[dict[str, object]]:
    """The objects of a list; none if it is not a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _flat(rows: object) -> list[dict[str, object]]:
    """Flatten lscpu's objects, which newer versions nest."""
    found = []
    for row in _objects(rows):
        found += [row, *_flat(row.get("children"))]
    return found


def _megahertz() -> str:
    try:
        match = re.search(r"^cpu MHz\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"), re.M)
    except OSError:
        return ""
    return match[1] if match else ""


def _storage() -> dict[str, str]:
    listed = _json("lsblk", "--json", "--bytes", "--nodeps", "--output", "NAME,SIZE,TYPE,ROTA,TRAN").get("blockdevices")
    disks = [row for row in _objects(listed) if row.get("type") == "disk" and int(str(row.get("size") or 0)) > 1 << 30]
    total = sum(int(str(row["size"])) for row in disks)
    kinds = {_kind(row) for row in disks}
    return {"storage_capacity": f"{total / 1e9:.0f} GB" if total else "", "storage_type": " + ".join(sorted(kinds))}


def _kind(row: Mapping[str, object]) -> str:
    if str(row.get("tran") or row.get("name", "")).startswith("nvme"):
        return "NVMe SSD"
    return "HDD" if row.get("rota") in (True, "1", 1) else "SSD"


def _network() -> dict[str, str]:
    """Speeds of the interfaces that belong to a device, in Mbit/s as in /sys."""
    speeds = []
    for path in sorted(Path("/sys/class/net").glob("*/device")):
        try:
            speed = int((path.parent / "speed").read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            speed = 0
        speeds.append(f"{path.parent.name} {speed} Mbit/s" if speed > 0 else path.parent.name)
    return {"networking": ", ".join(speeds)}


def nvidia_gpus(*fields: str) -> list[list[str]]:
    """Fields of each GPU from nvidia-smi, without units; no GPU if it is missing."""
    listed = _ask("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits").splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in listed]
    return [row for row in rows if len(row) == len(fields)]


def _accelerators() -> dict[str, str]:
    rows = nvidia_gpus("name", "memory.total", "clocks.max.sm")
    if not rows:
        return {"accelerators": "0"}
    name, memory, clock = rows[0]
    return {
        "accelerators": str(len(rows)),
        "accelerator": name,
        "accelerator_memory": f"{int(memory) / 1024:.0f} GB" if memory.isdigit() else "",
        "accelerator_frequency": f"{clock} MHz" if clock.isdigit() else "",
    }

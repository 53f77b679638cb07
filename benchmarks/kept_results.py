"""The results of a measurement as JSON, beside those of the last one on the same machine."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

Row = tuple[str, str, str]
_MISSED = "MISSED"
_PACKAGES = ("ck-repo", "numpy", "onnxruntime", "mlcommons-loadgen")


def machine() -> dict[str, Any]:
    """What has to be the same for two measurements to be comparable."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"cpu": name, "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}


def versions() -> dict[str, str]:
    """Of Python, and of packages as far as they are installed here."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}"}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def last(folder: Path) -> dict[str, Any]:
    """The latest kept measurement on this machine; empty if there is none. Files that cannot be read are skipped."""
    for path in sorted(folder.glob("*.json"), reverse=True):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            print(f"{path} is skipped: {error}", file=sys.stderr)
            continue
        if isinstance(content, dict) and content.get("machine") == machine():
            return content
    return {}


def compared(rows: list[Row], before: dict[str, Any]) -> list[str]:
    """Compare each row with the last measurement, as text; mark rows whose goal was met before and is not now."""
    known = {row["name"]: row for row in before.get("rows") or []}
    lines = []
    for name, figure, verdict in rows:
        if name in known:
            worse = _MISSED in verdict and _MISSED not in known[name]["verdict"]
            lines.append(f"{name}: {figure}; before {known[name]['figure']}{'  WORSE' if worse else ''}")
    return lines


def keep(rows: list[Row], folder: Path) -> Path:
    """Write a measurement into a folder; its name is the time."""
    now = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    content = {
        "measured": now,
        "machine": machine(),
        "versions": versions(),
        "rows": [{"name": name, "figure": figure, "verdict": verdict} for name, figure, verdict in rows],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now}.json"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path

"""The results of a measurement as JSON, compared with those of the last one on the same machine."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

README = Path(__file__).with_name("README.md")
_TABLE = re.compile(r"(?<=<!-- rows -->\n).*?(?=<!-- end -->)", re.DOTALL)
_MISSED = "MISSED"
_PACKAGES = ("ck-repo", "numpy", "onnxruntime", "mlcommons-loadgen")


@dataclass(frozen=True)
class Result:
    """A row that was measured.

    Attributes
    ----------
    figure
        What was measured, as text.
    verdict
        The goal, and whether it is met: ``at most 0.08 s: met``.
    megabytes
        The largest of the processes that the measurement started; at least what a process has before it starts its program.
    """

    name: str
    figure: str
    verdict: str
    megabytes: int

    def line(self) -> str:
        """A line for the terminal."""
        return f"{self.name:44}  {self.figure:44}  {self.verdict}  ({self.megabytes:,} MB)"


def measured(name: str, measure: Callable[[], tuple[str, str]]) -> Result:
    """Measure a row in a process of its own, so that the memory is that of its commands.

    Raises
    ------
    SystemExit
        If the measurement fails.
    """
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(measure, there))
    process.start()
    there.close()
    try:
        figure, verdict, megabytes = here.recv()
    except EOFError:
        process.join()
        raise SystemExit(f"{name} was not measured: see above") from None
    process.join()
    return Result(name, figure, verdict, megabytes)


def _measure(measure: Callable[[], tuple[str, str]], answer: Connection) -> None:
    figure, verdict = measure()
    answer.send((figure, verdict, round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)))


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


def compared(rows: list[Result], before: dict[str, Any]) -> list[str]:
    """Compare each row with the last measurement, as text; mark rows whose goal was met before and is not now."""
    known = {row["name"]: row for row in before.get("rows") or []}
    lines = []
    for row in rows:
        if before_row := known.get(row.name):
            worse = _MISSED in row.verdict and _MISSED not in before_row["verdict"]
            lines.append(f"{row.name}: {row.figure}; before {before_row['figure']}{'  WORSE' if worse else ''}")
    return lines


def keep(rows: list[Result], folder: Path) -> Path:
    """Write a measurement into a folder; its name is the time."""
    now = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    content = {
        "measured": now,
        "machine": machine(),
        "versions": versions(),
        "rows": [asdict(row) for row in rows],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now}.json"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def write_readme(rows: list[Result]) -> None:
    """Write the table of benchmarks/README.md."""
    lines = ["| what | measured | goal | MB |", "|---|---|---|---|"]
    lines += [
        f"| {row.name} | {row.figure} | {row.verdict.replace(_MISSED, '**missed**')} | {row.megabytes:,} |" for row in rows
    ]
    about = machine()
    when = f"Measured {time.strftime('%Y-%m-%d', time.gmtime())} with {about['cores']} cores of {about['cpu']}, "
    when += ", ".join(f"{name} {version}" for name, version in versions().items())
    text = README.read_text(encoding="utf-8")
    README.write_text(_TABLE.sub(lambda _: "\n".join([*lines, "", f"{when}.", ""]), text), encoding="utf-8")

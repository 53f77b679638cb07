"""What GPUs are doing now: temperature, clock and load, from /sys and from a running nvidia-smi."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from ck_repo.child import background
from ck_repo.child_environment import child_environment

DRIVERS = ("amdgpu", "i915", "nouveau", "radeon", "xe")  # names that GPUs have among the sensors in /sys
_COMMAND = (
    "nvidia-smi", "--query-gpu=index,temperature.gpu,clocks.sm,utilization.gpu", "--format=csv,noheader,nounits", "--loop=1",
)  # fmt: skip
_COLUMNS = 4
_TAIL = 8192  # bytes of the last lines of nvidia-smi
_GRACE = 1.0  # s for nvidia-smi to end


@dataclass(frozen=True)
class GpuUsage:
    """A look at all GPUs.

    Attributes
    ----------
    celsius
        The highest temperature, °C; None where no GPU says one.
    mhz
        Mean clock frequency, MHz.
    busy
        Mean share of the time in use, 0–1.
    """

    celsius: float | None = None
    mhz: float | None = None
    busy: float | None = None


class GpuGauge:
    """Reads `GpuUsage`, again and again, and waits for nothing.

    Parameters
    ----------
    root
        Where /sys is.
    printed
        What a running nvidia-smi prints; see `nvidia_smi`.
    """

    def __init__(self, root: Path, printed: IO[Any] | None = None) -> None:
        self._printed = printed
        sensors = [path for path in sorted(root.glob("sys/class/hwmon/hwmon*")) if sensor_name(path) in DRIVERS]
        self._temperatures = [path for folder in sensors for path in sorted(folder.glob("temp*_input"))]
        self._clocks = [(path, 1e6) for folder in sensors for path in sorted(folder.glob("freq1_input"))]
        self._clocks += [(path, 1.0) for path in sorted(root.glob("sys/class/drm/card[0-9]*/gt_act_freq_mhz"))]
        self._loads = sorted(root.glob("sys/class/drm/card[0-9]*/device/gpu_busy_percent"))

    def read(self) -> GpuUsage:
        """A look now."""
        rows = self._nvidia()
        heat = [value / 1e3 for path in self._temperatures if (value := number_in(path)) is not None]
        clocks = [value / unit for path, unit in self._clocks if (value := number_in(path)) is not None]
        loads = [value / 100 for path in self._loads if (value := number_in(path)) is not None]
        heat += [row[1] for row in rows if row[1] is not None]
        clocks += [row[2] for row in rows if row[2] is not None]
        loads += [row[3] / 100 for row in rows if row[3] is not None]
        heat = [value for value in heat if 0 < value < 200]
        return GpuUsage(round(max(heat), 1) if heat else None, _mean(clocks, 1), _mean(loads, 4))

    def _nvidia(self) -> list[list[float | None]]:
        """The last line of each GPU."""
        if self._printed is None:
            return []
        try:
            number = self._printed.fileno()
            size = os.fstat(number).st_size
            content = os.pread(number, _TAIL, max(0, size - _TAIL))
        except OSError:
            return []
        found: dict[str, list[float | None]] = {}
        for line in content.decode("utf-8", "replace").split("\n")[:-1]:  # the last one may not be complete
            cells = [cell.strip() for cell in line.split(",")]
            if len(cells) == _COLUMNS and cells[0].isdecimal():
                found[cells[0]] = [_number(cell) for cell in cells]
        return list(found.values())


@contextmanager
def nvidia_smi(*, wanted: bool) -> Iterator[IO[Any] | None]:
    """Run nvidia-smi once a second in the background while the body runs: the file that it prints to.

    It only reads. Where it is not installed, or not `wanted`, there is None; nothing waits for it.
    """
    if not wanted:
        yield None
        return
    with TemporaryFile() as printed, ExitStack() as running:
        try:
            running.enter_context(background(_COMMAND, child_environment(), printed, grace=_GRACE))
        except OSError:
            yield None
            return
        yield printed


def sensor_name(folder: Path) -> str:
    """The name of a group of sensors in /sys/class/hwmon; empty if it has none."""
    with suppress(OSError):
        return (folder / "name").read_text(errors="replace").strip()
    return ""


def number_in(path: Path) -> float | None:
    """The number in a file; None if there is none now: a sensor may be asleep."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:  # "[N/A]"
        return None
    return value if 0 <= value < 1e6 else None


def _mean(values: list[float], digits: int) -> float | None:
    return round(sum(values) / len(values), digits) if values else None

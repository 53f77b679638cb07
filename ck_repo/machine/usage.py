"""The current load of the machine: busy CPUs, clock frequency, temperature, as far as Linux reports them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ck_repo.machine.gpu_usage import DRIVERS, GpuGauge, number_in, sensor_name

_ROOT = Path("/")


@dataclass(frozen=True)
class Usage:
    """A sample of the machine's load.

    Attributes
    ----------
    busy
        CPU time used since the previous sample, 0–1 of all CPUs; None in the first sample.
    mhz
        Mean clock frequency of the CPUs, MHz.
    celsius
        The highest temperature that a sensor reports, °C; those of GPUs are apart.
    available
        Memory that programs could still use, bytes.
    gpu_celsius, gpu_mhz, gpu_busy
        The same of the GPUs: the highest temperature, the mean clock and the mean load, 0–1.
    """

    busy: float | None = None
    mhz: float | None = None
    celsius: float | None = None
    available: int | None = None
    gpu_celsius: float | None = None
    gpu_mhz: float | None = None
    gpu_busy: float | None = None


class Gauge:
    """Samples `Usage`.

    Parameters
    ----------
    root
        Where /proc and /sys are.
    nvidia
        What a running nvidia-smi prints; see `ck_repo.machine.gpu_usage.nvidia_smi`.
    """

    def __init__(self, root: Path = _ROOT, nvidia: IO[Any] | None = None) -> None:
        self._root, self._gpu = root, GpuGauge(root, nvidia)
        self._clocks = sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
        chips = [path for path in root.glob("sys/class/hwmon/hwmon*") if sensor_name(path) not in DRIVERS]
        self._sensors = sorted(
            [*root.glob("sys/class/thermal/thermal_zone*/temp"), *(path for chip in chips for path in chip.glob("temp*_input"))]
        )
        self._before: tuple[int, int] | None = None

    def read(self) -> Usage:
        """A look now; what cannot be read is None."""
        gpu = self._gpu.read()
        return Usage(self._busy(), self._mhz(), self._celsius(), self._available(), gpu.celsius, gpu.mhz, gpu.busy)

    def _busy(self) -> float | None:
        try:
            fields = (self._root / "proc/stat").read_text().split("\n", 1)[0].split()[1:9]
            ticks = [int(field) for field in fields]
        except (OSError, ValueError):
            return None
        if len(ticks) < 5:
            return None
        now = (sum(ticks), ticks[3] + ticks[4])  # total, idle and waiting for I/O
        before, self._before = self._before, now
        if before is None or now[0] <= before[0]:
            return None
        return round(max(0.0, 1 - (now[1] - before[1]) / (now[0] - before[0])), 4)

    def _mhz(self) -> float | None:
        found = [value / 1e3 for path in self._clocks if (value := number_in(path))]
        if not found:
            with suppress(OSError, ValueError):
                rows = (self._root / "proc/cpuinfo").read_text(errors="replace").splitlines()
                found = [float(row.partition(":")[2]) for row in rows if row.startswith("cpu MHz")]
        return round(sum(found) / len(found), 1) if found else None

    def _celsius(self) -> float | None:
        found = [value / 1e3 for path in self._sensors if (value := number_in(path)) is not None and 0 < value < 200_000]
        return round(max(found), 1) if found else None

    def _available(self) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            for row in (self._root / "proc/meminfo").read_text().splitlines():
                if row.startswith("MemAvailable:"):
                    return int(row.split()[1]) << 10
        return None

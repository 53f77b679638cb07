"""What would disturb a measurement now: other programs, heat, and a throttled processor, as far as Linux reports them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ck_repo.machine.gpu_usage import number_in, sensor_name
from ck_repo.machine.usage import Gauge

_ROOT = Path("/")
_PAUSE = 0.5  # s over which the load is measured
_MARGIN = 5.0  # °C below the temperature at which the system throttles
_PLAUSIBLE = (45.0, 150.0)  # °C: limits outside are not those of a processor
# types of the kernel's cooling devices that slow the machine; others are fans
_SLOWING = ("Processor", "cpu", "thermal-cpu", "thermal-devfreq", "intel_powerclamp")
# bits of the Raspberry Pi's firmware that describe the present, from its documentation of get_throttled
_FIRMWARE = ((1, "under-voltage"), (2, "a capped frequency"), (4, "throttling"), (8, "its soft temperature limit"))


def disturbances(share: float, *, root: Path = _ROOT, pause: Callable[[], None] = lambda: time.sleep(_PAUSE)) -> list[str]:
    """What would disturb a measurement; empty if nothing would, as far as is known.

    Parameters
    ----------
    share
        The share of the CPU time that other programs may use, 0–1.
    root
        Where /proc and /sys are.
    pause
        Waits between the two readings of counters.
    """
    gauge, throttled = Gauge(root), _throttle_count(root)
    gauge.read()
    pause()
    busy = gauge.read().busy
    found = []
    if busy is not None and busy > share:
        found.append(f"other programs use {100 * busy:.0f} % of the CPU time (allowed: {100 * share:.0f} %)")
    found += _hot(root)
    if _throttle_count(root) > throttled:
        found.append("the processor is throttled")
    return [*found, *_slowed(root), *_firmware(root)]


def _hot(root: Path) -> Iterator[str]:
    """The sensors close to the temperature at which the system throttles."""
    for name, now, limit in (*_zones(root), *_chips(root)):
        if _PLAUSIBLE[0] <= limit <= _PLAUSIBLE[1] and limit - _MARGIN <= now < 2 * limit:
            yield f"the sensor {name} has {now:.0f} °C, and the system throttles at {limit:.0f} °C"


def _zones(root: Path) -> Iterator[tuple[str, float, float]]:
    """Name, temperature and limit of the kernel's thermal zones, °C."""
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone[0-9]*")):
        limits = [
            value / 1e3
            for path in zone.glob("trip_point_*_type")
            if _text(path) in ("passive", "hot", "critical")
            and (value := number_in(zone / path.name.replace("_type", "_temp"))) is not None
        ]
        now = number_in(zone / "temp")
        if now is not None and limits:
            yield _text(zone / "type") or zone.name, now / 1e3, min(limits)


def _chips(root: Path) -> Iterator[tuple[str, float, float]]:
    """Name, temperature and limit of the sensors of processors, °C."""
    for chip in sorted(root.glob("sys/class/hwmon/hwmon*")):
        name = sensor_name(chip)
        if name not in ("coretemp", "k10temp", "zenpower", "cpu_thermal"):
            continue
        for path in sorted(chip.glob("temp*_crit")):
            now, limit = number_in(chip / path.name.replace("_crit", "_input")), number_in(path)
            if now is not None and limit is not None:
                yield name, now / 1e3, limit / 1e3


def _throttle_count(root: Path) -> float:
    """How often the processors were throttled since the system was started."""
    paths = root.glob("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")
    return sum(number_in(path) or 0 for path in paths)


def _slowed(root: Path) -> Iterator[str]:
    """The devices by which the kernel slows the machine now."""
    for device in sorted(root.glob("sys/class/thermal/cooling_device[0-9]*")):
        kind, state = _text(device / "type"), number_in(device / "cur_state")
        if kind.startswith(_SLOWING) and state is not None and state > 0:
            yield f"the system slows {kind} to cool it"


def _firmware(root: Path) -> Iterator[str]:
    """What the firmware of a Raspberry Pi reports."""
    for path in root.glob("sys/devices/platform/soc/soc:firmware/get_throttled"):
        with suppress(ValueError):
            state = int(_text(path), 16)
            reasons = [text for bit, text in _FIRMWARE if state & bit]
            if reasons:
                yield f"the firmware reports {', '.join(reasons)}"


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(errors="replace").strip()
    return ""

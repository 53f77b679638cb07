"""What would disturb a measurement, from /proc and /sys of a made system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.machine.disturbances import disturbances


def load(root: Path, used: int, idle: int) -> None:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/stat").write_text(f"cpu  {used} 0 0 {idle} 0 0 0 0 0 0\n")


def written(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")


def later(root: Path, used: int, idle: int) -> Callable[[], None]:
    return lambda: load(root, used, idle)


def test_system_without_sensors_is_ready(tmp_path: Path) -> None:
    assert disturbances(0.1, root=tmp_path, pause=lambda: None) == []


@pytest.mark.parametrize(("used", "count"), [(105, 0), (110, 0), (130, 1)])
def test_other_programs_may_use_some_cpu(tmp_path: Path, used: int, count: int) -> None:
    load(tmp_path, 100, 1000)
    found = disturbances(0.1, root=tmp_path, pause=later(tmp_path, used, 1000 + 200 - used))
    assert found == ["other programs use 30 % of the CPU time (allowed: 10 %)"] * count


@pytest.mark.parametrize(
    ("kind", "limit", "now", "hot"),
    [
        ("passive", 85_000, 84_000, True),
        ("passive", 85_000, 70_000, False),
        ("active", 40_000, 70_000, False),  # a fan
        ("critical", 20_800, 27_800, False),  # not the limit of a processor
    ],
)
def test_thermal_zone_near_its_limit_is_hot(tmp_path: Path, kind: str, limit: int, now: int, hot: bool) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    written(zone, type="soc", temp=now, trip_point_0_type="critical", trip_point_0_temp=110_000)
    written(zone, trip_point_1_type=kind, trip_point_1_temp=limit)
    found = disturbances(0.1, root=tmp_path, pause=lambda: None)
    assert found == (["the sensor soc has 84 °C, and the system throttles at 85 °C"] if hot else [])


def test_processor_near_its_limit_is_hot_and_disks_are_ignored(tmp_path: Path) -> None:
    for number, name in enumerate(("coretemp", "nvme")):
        written(tmp_path / f"sys/class/hwmon/hwmon{number}", name=name, temp1_input=97_000, temp1_crit=100_000)
    found = disturbances(0.1, root=tmp_path, pause=lambda: None)
    assert found == ["the sensor coretemp has 97 °C, and the system throttles at 100 °C"]


def test_throttling_is_seen(tmp_path: Path) -> None:
    """By the counter of the processor, a device that slows it, and the firmware of a Raspberry Pi."""
    counter = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle"
    written(counter, core_throttle_count=7)
    for number, (kind, state) in enumerate((("cpufreq-cpu0", 2), ("Processor", 0), ("pwm-fan", 3))):
        written(tmp_path / f"sys/class/thermal/cooling_device{number}", type=kind, cur_state=state)
    written(tmp_path / "sys/devices/platform/soc/soc:firmware", get_throttled="50005")
    assert disturbances(0.1, root=tmp_path, pause=lambda: written(counter, core_throttle_count=8)) == [
        "the processor is throttled",
        "the system slows cpufreq-cpu0 to cool it",
        "the firmware reports under-voltage, throttling",
    ]

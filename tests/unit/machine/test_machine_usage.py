"""Usage of the machine, from /proc and /sys of a simulated system."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest
from patience import PATIENCE

from ck_repo.machine.gpu_usage import GpuGauge, GpuUsage, nvidia_smi
from ck_repo.machine.usage import Gauge, Usage
from ck_repo.run.monitor import Monitor


def system(root: Path, idle: int, total: int = 1000) -> Path:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/stat").write_text(f"cpu  {total - idle} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3\n")
    (root / "proc/meminfo").write_text("MemTotal: 8 kB\nMemAvailable:    2048 kB\n")
    for number, clock in enumerate((1_000_000, 3_000_000)):
        folder = root / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scaling_cur_freq").write_text(f"{clock}\n")
    zone = root / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "temp").write_text("61500\n")
    return root


def test_usage_is_read(tmp_path: Path) -> None:
    gauge = Gauge(system(tmp_path, idle=500))
    assert gauge.read() == Usage(None, 2000.0, 61.5, 2 << 20)
    system(tmp_path, idle=600, total=1400)
    assert gauge.read().busy == 0.75


def test_unavailable_values_are_none(tmp_path: Path) -> None:
    assert Gauge(tmp_path).read() == Usage()


def test_run_is_sampled_every_second(tmp_path: Path) -> None:
    times = iter([100.0, 100.5, 101.1, 101.2])
    monitor = Monitor(tmp_path, Gauge(system(tmp_path, idle=500)), lambda: next(times))
    for _ in range(4):
        monitor()
    rows = [json.loads(line) for line in (tmp_path / "machine.jsonl").read_text().splitlines()]
    assert len(rows) == 2  # at 100.0 and 101.1
    assert rows[0]["at"] <= rows[1]["at"] <= time.time() + 0.001  # rounded to ms
    assert rows[0]["celsius"] == 61.5


def sensor(root: Path, number: int, name: str, **values: int) -> None:
    folder = root / f"sys/class/hwmon/hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    for key, value in values.items():
        (folder / key).write_text(f"{value}\n")


def test_gpu_sensors_are_separate_from_cpu_sensors(tmp_path: Path) -> None:
    system(tmp_path, idle=500)
    sensor(tmp_path, 0, "coretemp", temp1_input=65_000)
    sensor(tmp_path, 1, "amdgpu", temp1_input=71_000, temp2_input=83_500, freq1_input=1_450_000_000, freq2_input=900_000_000)
    card = tmp_path / "sys/class/drm/card0/device"
    card.mkdir(parents=True)
    (card / "gpu_busy_percent").write_text("42\n")
    found = Gauge(tmp_path).read()
    assert (found.celsius, found.gpu_celsius, found.gpu_mhz, found.gpu_busy) == (65.0, 83.5, 1450.0, 0.42)


def test_integrated_gpu_clock(tmp_path: Path) -> None:
    (tmp_path / "sys/class/drm/card1").mkdir(parents=True)
    (tmp_path / "sys/class/drm/card1/gt_act_freq_mhz").write_text("1100\n")
    assert GpuGauge(tmp_path).read() == GpuUsage(None, 1100.0, None)


LINES = "0, 40, 300, 0\n1, 41, 300, 0\n0, 66, 1980, 97\n1, 64, 1900, 99\n0, 9"


def test_last_lines_of_nvidia_smi_count(tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    printed.write_text(LINES)
    with open(printed, "rb") as file:
        assert GpuGauge(tmp_path, file).read() == GpuUsage(66.0, 1940.0, 0.98)
    printed.write_text("0, [N/A], 1500, [Not Supported]\nNVIDIA-SMI has failed\n")
    with open(printed, "rb") as file:
        assert GpuGauge(tmp_path, file).read() == GpuUsage(None, 1500.0, None)


SCRIPT = """#!/bin/sh
trap 'exit 0' TERM
echo "$*" > {folder}/asked
echo "0, 55, 1700, 50"
while :; do sleep 0.05; done
"""


def test_nvidia_smi_runs_in_background_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(SCRIPT.format(folder=tmp_path))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with nvidia_smi(wanted=True) as printed:
        gauge, until = GpuGauge(tmp_path, printed), time.monotonic() + PATIENCE
        while gauge.read() == GpuUsage() and time.monotonic() < until:
            time.sleep(0.01)
        assert gauge.read() == GpuUsage(55.0, 1700.0, 0.5)
    assert "--loop=1" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("wanted", [True, False])
def test_nothing_is_known_without_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with nvidia_smi(wanted=wanted) as printed:
        assert printed is None
        assert GpuGauge(tmp_path, printed).read() == GpuUsage()

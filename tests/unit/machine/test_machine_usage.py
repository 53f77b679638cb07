"""What the machine does, from /proc and /sys of a made system."""

from __future__ import annotations

import json
import time
from pathlib import Path

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


def test_what_the_system_does_not_say_is_none(tmp_path: Path) -> None:
    assert Gauge(tmp_path).read() == Usage()


def test_a_run_is_looked_at_once_a_second(tmp_path: Path) -> None:
    times = iter([100.0, 100.5, 101.1, 101.2])
    monitor = Monitor(tmp_path, Gauge(system(tmp_path, idle=500)), lambda: next(times))
    for _ in range(4):
        monitor()
    rows = [json.loads(line) for line in (tmp_path / "machine.jsonl").read_text().splitlines()]
    assert len(rows) == 2  # at 100.0 and 101.1
    assert rows[0]["at"] <= rows[1]["at"] <= time.time() + 0.001  # rounded to ms
    assert rows[0]["celsius"] == 61.5

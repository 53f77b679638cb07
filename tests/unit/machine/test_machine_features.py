"""The description of the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ck_repo.machine import features, hardware


def test_cpu_has_name_and_processors() -> None:
    found: dict[str, Any] = features.cpu_features()
    assert found["name"]
    assert found["num_proc"] == os.cpu_count()
    assert found["num_proc"] >= found["num_cores"] >= found["sockets"] >= 1


def test_instruction_sets_and_frequencies_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("model name\t: A CPU\nflags\t\t: sse avx2\ncpu MHz\t\t: 2600.5\ncpu MHz\t\t: 1200\n")
    (tmp_path / "cpu0" / "cpufreq").mkdir(parents=True)
    (tmp_path / "cpu0" / "cpufreq" / "cpuinfo_max_freq").write_text("3500000\n")
    monkeypatch.setattr(features, "_CPUINFO", info)
    monkeypatch.setattr(features, "_FREQUENCIES", tmp_path)
    found = features.cpu_features()
    assert found["cpu_features"] == "sse avx2"
    assert found["current_freq"] == {"0": 2600.5, "1": 1200.0}
    assert found["max_freq"] == {"0": 3500.0}


def test_gpus_are_those_of_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, A GPU, 16384, 1980, 550.54, 9.0'\necho '1, B GPU, [N/A], [N/A], 550.54, 9.0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    first, second = features.gpu_features()
    assert (first["name"], first["memory"], first["max_freq"]) == ("A GPU", 16384 * 2**20, 1980.0)
    assert (second["gpu_id"], second["memory"], second["max_freq"]) == ("1", None, None)


def test_no_gpu_is_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_ask", lambda *command: "")
    monkeypatch.setattr(features, "has_cuda", lambda: False)
    assert features.gpu_features() == []


def test_gpu_without_nvidia_smi_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_ask", lambda *command: "")
    monkeypatch.setattr(features, "has_cuda", lambda: True)
    monkeypatch.setattr(sys, "platform", "linux")
    assert [row["vendor"] for row in features.gpu_features()] == ["NVIDIA"]


def test_machine_vendor_and_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sys_vendor").write_text("Maker\n")
    (tmp_path / "product_name").write_text("Model 1\n")
    monkeypatch.setattr(features, "_DMI", tmp_path)
    found = features.machine_features()
    assert (found["name"], found["vendor"], found["model"]) == ("Maker Model 1", "Maker", "Model 1")


def test_operating_system_names() -> None:
    found = features.os_features()
    assert all(found.values())
    assert found["bits"] in ("32", "64")

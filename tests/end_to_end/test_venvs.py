"""Venvs from a template: create, activate, list, repair, remove."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end.installed import Ck
from patience import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]


def test_create_activate_find_and_remove(shared_ck: Ck) -> None:
    assert "mlperf-inference-1.0" in shared_ck.text("ls", "venv.template")
    assert "mlperf-inference-1.0" in shared_ck.text("ls", "env_templates")
    assert "is ready" in shared_ck.text("create", "venv:mlperf-inference", "--template=mlperf-inference-1.0")
    folder = Path(shared_ck.text("find", "venv:mlperf-inference").strip())
    assert (folder / "venv/bin/python").exists()
    prefix = shared_ck.text("activate", "venv:mlperf-inference", "--", "python", "-c", "import sys; print(sys.prefix)")
    assert prefix.strip() == str(folder / "venv")
    failing = shared_ck.start("activate", "venv:mlperf-inference", "--", "python", "-c", "raise SystemExit(3)")
    failing.communicate()
    assert failing.returncode == 3


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "sh"])
def test_printed_lines_work_in_the_shell(shared_ck: Ck, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    lines = shared_ck.text("activate", "venv:mlperf-inference", "--print", f"--shell={shell}")
    script = lines + 'python -c "import sys; print(sys.prefix)"\necho $CK_VENV\n'
    done = subprocess.run([shell, "-c", script], env=shared_ck.environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(shared_ck.home / "CK/local/venv/mlperf-inference/venv"), "mlperf-inference"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_subshell_has_another_prompt(shared_ck: Ck, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    words = ["activate", "venv:mlperf-inference", f"--shell={shell}"]
    # pty.spawn gives the shell its own terminal, which fish requires, and forwards our input
    command = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", str(shared_ck.program), *words]
    environment = shared_ck.environment | {"TERM": "xterm"}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seen, _ = process.communicate(b"echo in=$CK_VENV\nexit\n", timeout=PATIENCE)
    assert b"in=mlperf-inference" in seen
    assert b"CK mlperf-inference" in seen


def test_venv_with_missing_python_is_reported_and_repaired(shared_ck: Ck) -> None:
    python = shared_ck.home / "CK/local/venv/mlperf-inference/venv/bin/python"
    target = os.readlink(python)
    python.unlink()
    python.symlink_to("/nowhere/python3")
    try:
        answer = shared_ck.json("run", "program:object-detection", "--mode=accuracy", "--count=8")
        assert "is missing: /nowhere/python3" in answer["error"]
        assert "--force" in answer["error"]
    finally:
        python.unlink()
        python.symlink_to(target)


def test_missing_python_is_reported(fresh_ck: Ck) -> None:
    answer = fresh_ck.json("create", "venv:old", "--python=3.99")
    assert "no Python 3.99" in answer["error"]
    assert "available:" in answer["error"]
    assert fresh_ck.json("create", "venv:old", "--template=no-such")["return"] == 16
    assert not list((fresh_ck.home / "CK").glob("local/venv/old"))

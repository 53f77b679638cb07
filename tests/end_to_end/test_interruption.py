"""Ctrl-C and kill -9 in the middle of operations; then the same command again."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from end_to_end.installed import Ck

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]
RUN = ("run", "program:object-detection", "--mode=performance", "--time=30", "--count=20")


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.is_dir() else set()


def processes_of(folder: Path) -> list[int]:
    """Processes started with a path in `folder` on their command line."""
    found = []
    for row in Path("/proc").iterdir():
        if row.name.isdigit() and int(row.name) != os.getpid():
            try:
                if str(folder).encode() in (row / "cmdline").read_bytes():
                    found.append(int(row.name))
            except OSError:
                pass
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_run_leaves_no_experiment_or_process(shared_ck: Ck, number: signal.Signals) -> None:
    experiments = shared_ck.home / "CK/local/experiment"
    before = entries(experiments)

    def measuring() -> bool:
        return any((path / "performance/mlperf_log_detail.txt").exists() for path in experiments.glob(".run-*"))

    errors = shared_ck.stop_when(RUN, measuring, number)
    assert entries(experiments) == before
    if number is not signal.SIGKILL:
        assert "interrupted" in errors
        assert not list(experiments.glob(".run-*"))
    for path in list(experiments.glob(".run-*")):  # leftovers of kill -9 appear in no list
        while processes_of(path):  # the harness exits when its parent is gone
            pass
        subprocess.run(["rm", "-r", path], check=True)
    shared_ck.good("run", "program:object-detection", "--mode=accuracy", "--count=8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_creation_leaves_no_venv(fresh_ck: Ck, number: signal.Signals) -> None:
    words = ("create", "venv:mine", "--template=mlperf-inference-1.0")
    folder = fresh_ck.home / "CK/local/venv/mine"
    fresh_ck.stop_when(words, lambda: (folder / "venv/ck-install.log").exists(), number)
    assert "mine" not in fresh_ck.text("ls", "venv")
    while processes_of(folder):
        pass
    fresh_ck.good(*words)
    assert "mine" in fresh_ck.text("ls", "venv")
    inside = fresh_ck.text(
        "activate", "venv:mine", "--", "python", "-c", "import mlperf_loadgen, onnxruntime, cv2; print('all there')"
    )
    assert inside.strip() == "all there"


def test_concurrent_installations_install_once(shared_ck: Ck) -> None:
    words = ("install", "package", "--tags=dataset,demo,count.200")
    both = [shared_ck.start(*words) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    found = shared_ck.good("locate", "env", "--tags=dataset,demo,count.200")["lst"]
    assert len(found) == 1
    assert len(list((Path(found[0]["path"]) / "val2017").iterdir())) == 200
    assert not list((shared_ck.home / "CK-TOOLS").glob(".*.new"))
    shared_ck.good("rm", "env", "--tags=dataset,demo,count.200")

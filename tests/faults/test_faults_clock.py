"""Commands with a wrong or jumping clock (libfaketime) give the same results as with a right one.

A board without a battery starts in 1970; ZIP files cannot store years before 1980 or after 2107. Only the command's own
clock is changed: the store is created and checked with the right one, so that time jumps between any two commands.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faults.operations import OPERATIONS, Operation, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("faketime"), reason="needs faketime (Debian's package of that name)"),
]

_CLOCKS = ("1970-01-02 00:00:00", "2150-01-01 00:00:00")
# libfaketime shifts the end of time.sleep, a monotonic time, as if it were a time of day; it does not affect select
_RUNNER = """
import select, sys, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
from ck_repo.start import main
sys.exit(main())
"""


def _remove_stale_memory() -> None:
    """Killed processes leave the shared memory of libfaketime, by process id: a new process of that id would fail."""
    for path in Path("/dev/shm").glob("*faketime_*"):
        if not Path("/proc", path.name.rpartition("_")[2]).exists():
            path.unlink(missing_ok=True)


def _under(clock: dict[str, str], operation: Operation, home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", _RUNNER, *operation.words(home)]
    variables = {**environment(home), "DONT_FAKE_MONOTONIC": "1", **clock}
    return subprocess.run(command, env=variables, capture_output=True, text=True)


def _library() -> str:
    """The path of libfaketime, as faketime sets it for what it starts."""
    shown = subprocess.run(["faketime", "now", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True)
    return shown.stdout.strip()


def _expected(operation: Operation, home: Path) -> object:
    """The state after the command with the right clock; the store is then restored."""
    operation.prepare(home)
    seed = home.with_name("seed")
    shutil.copytree(home, seed, symlinks=True)
    done = _under({}, operation, home)
    assert done.returncode == 0, done.stderr
    state = operation.state(home)
    shutil.rmtree(home)
    seed.rename(home)
    return state


@pytest.mark.parametrize("clock", _CLOCKS)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_command_with_wrong_clock(tmp_path: Path, name: str, clock: str) -> None:
    home = tmp_path / "home"
    expected = _expected(OPERATIONS[name], home)
    _remove_stale_memory()
    done = _under({}, OPERATIONS[name], home, "faketime", clock)
    assert done.returncode == 0, done.stderr
    assert OPERATIONS[name].state(home) == expected


@pytest.mark.parametrize("moment", ["@1970-01-02 00:00:00", "@2150-01-01 00:00:00"])
def test_clock_jump_during_run(tmp_path: Path, moment: str) -> None:
    home = tmp_path / "home"
    operation = OPERATIONS["run"]
    expected = _expected(operation, home)
    clock = tmp_path / "clock"
    clock.write_text("+0")
    harness = home / "CK" / "local" / "program" / "tiny" / "tiny_harness" / "__main__.py"
    harness.write_text(harness.read_text() + f"Path({os.fspath(clock)!r}).write_text({moment!r})\n")
    jumping = {"LD_PRELOAD": _library(), "FAKETIME_TIMESTAMP_FILE": os.fspath(clock), "FAKETIME_NO_CACHE": "1"}
    done = _under(jumping, operation, home)
    assert done.returncode == 0, done.stderr
    assert clock.read_text() == moment
    assert operation.state(home) == expected

"""A meter's command ends with the run, together with everything that it started."""

from __future__ import annotations

import os
import sys
from io import FileIO
from pathlib import Path
from textwrap import dedent

import pytest

from ck_repo.errors import RunError
from ck_repo.run.meter import metered

# a process that ignores SIGTERM, and reports through a pipe if it survives
_STUBBORN = """
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe = os.open(sys.argv[1], os.O_WRONLY)
    os.write(pipe, b"ready")
    time.sleep(600)
    os.write(pipe, b"alive")
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """The pipe that the stubborn process writes to."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "stubborn.py").write_text(dedent(_STUBBORN))
    return tmp_path / "pipe"


def _wrapper(folder: Path, then: str) -> str:
    """A command that prints its process number, starts the stubborn process, and then does something else."""
    script = folder / "wrapper.py"
    start = f"subprocess.Popen([sys.executable, {str(folder / 'stubborn.py')!r}, {str(folder / 'pipe')!r}])"
    script.write_text(f"import os, subprocess, sys, time\nprint(os.getpid(), flush=True)\n{start}\n{then}\n")
    return f"{sys.executable} {script}"


def test_processes_started_by_command_end_with_it(tmp_path: Path, pipe: Path) -> None:
    with metered(_wrapper(tmp_path, "time.sleep(600)"), tmp_path / "run"):
        reader = FileIO(pipe)  # waits for the stubborn process
        assert reader.read(5) == b"ready"
    with reader:
        assert reader.read() == b""


def test_processes_started_by_failing_command_end_too(tmp_path: Path, pipe: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    command = _wrapper(tmp_path, f"open({str(go)!r}).read()\nsys.exit(3)")
    with pytest.raises(RunError, match="exit status 3"), metered(command, tmp_path / "run"):
        reader = _let_it_end(pipe, go, tmp_path / "run/meter.log")
    with reader:
        assert reader.read() == b""


def _let_it_end(pipe: Path, go: Path, log: Path) -> FileIO:
    """Let the wrapper, whose number is in the log, end while the stubborn process runs; its parent gets its exit status."""
    reader = FileIO(pipe)
    assert reader.read(5) == b"ready"
    go.write_text("")
    os.waitid(os.P_PID, int(log.read_text()), os.WEXITED | os.WNOWAIT)
    return reader

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
    time.sleep(20)
    os.write(pipe, b"alive")
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """The pipe that the stubborn process writes to."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "stubborn.py").write_text(dedent(_STUBBORN))
    return tmp_path / "pipe"


def _wrapper(folder: Path, then: str) -> str:
    """A command that starts the stubborn process, and then does something else."""
    script = folder / "wrapper.py"
    start = f"subprocess.Popen([sys.executable, {str(folder / 'stubborn.py')!r}, {str(folder / 'pipe')!r}])"
    script.write_text(f"import subprocess, sys, time\n{start}\n{then}\n")
    return f"{sys.executable} {script}"


def test_processes_started_by_command_end_with_it(tmp_path: Path, pipe: Path) -> None:
    with metered(_wrapper(tmp_path, "time.sleep(60)"), tmp_path / "run"):
        reader = FileIO(pipe)  # waits for the stubborn process
        assert reader.read(5) == b"ready"
    with reader:
        assert reader.read() == b""


def test_processes_started_by_failing_command_end_too(tmp_path: Path, pipe: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    command = _wrapper(tmp_path, f"open({str(go)!r}).read()\nsys.exit(3)")
    with pytest.raises(RunError, match="exit status 3"), metered(command, tmp_path / "run"):
        reader = _let_it_end(pipe, go)
    with reader:
        assert reader.read() == b""


def _let_it_end(pipe: Path, go: Path) -> FileIO:
    """Let the wrapper end while the stubborn process runs; its exit status is left to its parent."""
    reader = FileIO(pipe)
    assert reader.read(5) == b"ready"
    go.write_text("")
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    return reader

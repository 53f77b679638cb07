"""Starting the harness: progress moves the bar, output goes to the log, and a failure is reported with its cause."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from patience import PATIENCE

from ck_repo import progress
from ck_repo.errors import RunError
from ck_repo.run.harness import run_harness

Run = Callable[[str], Mapping[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run folder."""
    path = tmp_path / "run"
    path.mkdir()
    (path / "spec.json").write_text('{"version": 1}')
    return path


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Run:
    """Run a harness with that code; `folder` is its run folder."""

    def call(code: str) -> Mapping[str, Any]:
        package = tmp_path / "program" / "toy_harness"
        package.mkdir(parents=True)
        head = "import json, os, signal, sys\nfrom pathlib import Path\nspec = Path(sys.argv[1])\nfolder = spec.parent\n"
        (package / "__main__.py").write_text(head + dedent(code))
        return run_harness(
            Path(sys.executable), tmp_path / "program", "toy_harness", folder / "spec.json", backend="toy"
        ).others

    return call


def test_harness_results_are_returned(run: Run) -> None:
    code = '(folder / "results.json").write_text(json.dumps({"read": json.loads(spec.read_text()), "cwd": os.getcwd()}))'
    found = run(code)
    assert found["read"] == {"version": 1}
    assert found["cwd"].endswith("/run")


def test_output_goes_to_logs_next_to_spec(run: Run, folder: Path) -> None:
    run('print("hello")\nprint("a warning", file=sys.stderr)\n(folder / "results.json").write_text("{}")')
    assert (folder / "stdout.log").read_text() == "hello\n"
    assert (folder / "stderr.log").read_text() == "a warning\n"


class Bars:
    """Records reports."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def begin(self, title: str, total: float | None, unit: str) -> Bars:
        self.rows.append(("begin", title, total, unit))
        return self

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        self.rows.append(("done", done, total))

    def close(self) -> None:
        self.rows.append(("close",))

    def say(self, text: str) -> None:
        pass


@pytest.fixture
def bars() -> Iterator[Bars]:
    before, found = progress._sink, Bars()
    progress.send_to(found)
    yield found
    progress.send_to(before)


def test_progress_moves_bar_and_is_not_logged(run: Run, folder: Path, bars: Bars) -> None:
    run("""
        print(json.dumps({"progress": "drawing", "done": 1, "total": 2, "unit": "images"}))
        print("between")
        print(json.dumps({"progress": "drawing", "done": 2, "total": 2, "unit": "images"}))
        print(json.dumps({"progress": "scoring", "done": 0, "total": None, "unit": ""}))
        print('{"progress": trunc')
        (folder / "results.json").write_text("{}")
    """)
    assert bars.rows == [
        ("begin", "drawing", 2, "images"), ("done", 1, 2), ("done", 2, 2), ("close",),
        ("begin", "scoring", None, ""), ("done", 0, None), ("close",),
    ]  # fmt: skip
    assert (folder / "stdout.log").read_text() == 'between\n{"progress": trunc\n'


def test_harness_has_its_own_python_path(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own packages and an active venv do not affect measurements."""
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PYTHONHOME", "")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    found = run('(folder / "results.json").write_text(json.dumps(dict(os.environ)))')
    assert found["PYTHONPATH"] == str(tmp_path / "program")
    assert not {"VIRTUAL_ENV", "PYTHONHOME"} & set(found)


def test_cause_from_harness_is_the_message(run: Run, folder: Path) -> None:
    with pytest.raises(RunError) as caught:
        run("""
            (folder / "error.json").write_text(json.dumps({"error": "1.png is empty", "hint": "download the data set again"}))
            sys.exit(3)
        """)
    assert str(caught.value) == (
        f"the benchmark failed: 1.png is empty\ncomplete log: {folder / 'stderr.log'}\ndownload the data set again"
    )


def test_failure_without_cause_shows_end_of_log(run: Run, folder: Path) -> None:
    with pytest.raises(RunError) as caught:
        run('print("first line", *range(40), "division by zero", sep="\\n", file=sys.stderr)\nsys.exit(9)')
    message = str(caught.value)
    assert "ended with exit status 9" in message
    assert "division by zero" in message
    assert "first line" not in message
    assert str(folder / "stderr.log") in message


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_killed_harness_is_reported_with_signal(run: Run, name: str) -> None:
    with pytest.raises(RunError, match=f"was ended by signal {name}") as caught:
        run(f"import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.kill(os.getpid(), signal.{name})")
    assert ("out of memory" in caught.value.hint) == (name == "SIGKILL")


def test_success_without_results_is_a_failure(run: Run) -> None:
    with pytest.raises(RunError, match="ended with exit status 0 and left no results"):
        run("pass")


def test_results_of_failed_run_do_not_count(run: Run) -> None:
    with pytest.raises(RunError, match="exit status 1"):
        run('(folder / "results.json").write_text("{}")\nsys.exit(1)')


def test_harness_stdin_stays_open(run: Run) -> None:
    """It ends when its stdin closes."""
    found = run("""
        import select
        ready, _, _ = select.select([0], [], [], 0)
        (folder / "results.json").write_text(json.dumps({"closed": bool(ready)}))
    """)
    assert found == {"closed": False}


CALL = """
import sys
from pathlib import Path
from ck_repo.run.harness import run_harness
run_harness(Path(sys.executable), Path(sys.argv[1]), "toy_harness", Path(sys.argv[2]), backend="toy")
"""


@pytest.mark.parametrize("stubborn", [False, True])
def test_interrupted_engine_leaves_no_harness(tmp_path: Path, folder: Path, stubborn: bool) -> None:
    """Even one that ignores SIGTERM."""
    package = tmp_path / "program" / "toy_harness"
    package.mkdir(parents=True)
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""
    (package / "__main__.py").write_text(
        f"import os, signal\nfrom pathlib import Path\n{ignore}\nprint('ready', os.getpid(), flush=True)\nsignal.pause()\n"
    )
    patience = "import ck_repo.child\nck_repo.child._GRACE = 0.2\n"
    process = subprocess.Popen(
        [sys.executable, "-c", patience + CALL, str(tmp_path / "program"), str(folder / "spec.json")], stderr=subprocess.PIPE
    )
    pid = int(wait_for(folder / "stdout.log", process).split()[1])
    process.send_signal(2)
    assert b"KeyboardInterrupt" in process.communicate(timeout=PATIENCE)[1]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> str:
    """The line that the harness logged."""
    while not (path.exists() and path.read_text().endswith("\n")):
        assert process.poll() is None
        time.sleep(0.01)
    return path.read_text()

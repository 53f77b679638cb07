"""Start the harness in its venv, show how far it is, keep what it says, and tell why it failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from ck_repo import progress
from ck_repo.errors import RunError
from ck_repo.store.entry import read_json_object

_GRACE = 5  # s between asking a harness to end and ending it


def run_harness(python: Path, program: Path, name: str, spec: Path) -> dict[str, Any]:
    """Run the harness on a spec and return its results.json.

    Parameters
    ----------
    python
        Interpreter of the venv.
    program
        Folder of the program entry, which holds the harness as a package called `name`.
    spec
        The spec file, in the run folder; stdout.log and stderr.log are written beside it.

    Raises
    ------
    RunError
        If it fails: with its own message, or the last lines of its log.
    """
    folder = spec.parent
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "VIRTUAL_ENV")}
    environment |= {"PYTHONPATH": str(program), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    with open(folder / "stdout.log", "w", encoding="utf-8") as output, open(folder / "stderr.log", "wb") as errors:
        # stdin stays open as long as we live: the harness ends when it closes, even if we are killed
        process = subprocess.Popen(
            [str(python), "-m", name, str(spec)], cwd=folder, env=environment, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace",
        )  # fmt: skip
        try:
            assert process.stdout is not None
            _follow(process.stdout, output)
            status = process.wait()
        finally:
            _end(process)
    results = folder / "results.json"
    if status or not results.exists():
        raise _failure(folder, status)
    return read_json_object(results)


def _follow(lines: IO[str], output: IO[str]) -> None:
    """Lines of JSON with `progress` move the bar; everything else goes to the log."""
    title = ""
    with ExitStack() as bars:
        task: progress.Task | None = None
        for line in lines:
            row = _progress_row(line)
            if row is None:
                output.write(line)
                output.flush()
                continue
            if task is None or row["progress"] != title:
                bars.close()
                title = str(row["progress"])
                task = bars.enter_context(progress.task(title, row.get("total"), str(row.get("unit", ""))))
            task.advance_to(float(row.get("done") or 0), row.get("total"))


def _progress_row(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"progress"'):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _end(process: subprocess.Popen[str]) -> None:
    """Make sure that nothing of the harness goes on."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _failure(folder: Path, status: int) -> RunError:
    log = folder / "stderr.log"
    told = folder / "error.json"
    if told.exists():
        row = read_json_object(told)
        return RunError(f"the benchmark failed: {row.get('error')}", hint=str(row.get("hint", "")), log=log)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
    how = f"was ended by signal {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
    hint = "the system may be out of memory" if status == -signal.SIGKILL else ""
    return RunError(f"the harness {how} and left no results", tail="\n".join(lines), log=log, hint=hint)

"""Start the harness in its venv and explain its failures."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ck_repo.child import last_lines, run_child
from ck_repo.contract.results import Results
from ck_repo.errors import RunError
from ck_repo.machine.gpu_usage import nvidia_smi
from ck_repo.machine.usage import Gauge
from ck_repo.run.monitor import Monitor
from ck_repo.run.watchdog import Watchdog, read_running
from ck_repo.store.atomic import refuse_full
from ck_repo.store.entry import read_json_object
from ck_repo.store.fields import Fields

_LISTED = 4  # maximum sessions in a message
SETTINGS = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def rescore(python: Path, program: Path, name: str, spec: Path, logs: Sequence[Path], folder: Path) -> None:
    """Score two accuracy logs on the samples of the second one; the harness writes a text for each into `folder`.

    Raises
    ------
    RunError
        If that fails.
    """
    command = [str(python), "-m", f"{name}.rescore", *map(str, (spec, *logs, folder))]
    environment = {"PYTHONPATH": str(program)} | SETTINGS
    log = folder / "stderr.log"
    if run_child(command, folder, folder / "stdout.log", log, environment):
        raise RunError("the answers of the compliance test cannot be scored", tail=last_lines(log))


def run_harness(
    python: Path,
    program: Path,
    name: str,
    spec: Path,
    modules: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    *,
    backend: str,
    device: str = "cpu",
    limit: float | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Results:
    """Run the harness on a spec and return its results.

    Parameters
    ----------
    python
        Interpreter of the venv.
    program
        Folder of the program entry, which has the harness as a package called `name`.
    spec
        The spec file, in the run folder; stdout.log and stderr.log are written next to it.
    modules
        Folders of Python modules that take precedence over those of the venv.
    variables
        Additional environment variables.
    backend
        Name of the backend, for messages.
    device
        Where it runs; NVIDIA GPUs are monitored with nvidia-smi during the run.
    limit
        Seconds after which it is ended; None for any.
    stopped
        Ends the run when it returns true; for concurrent runs, whose progress is not shown.

    Raises
    ------
    OverTimeError
        If it takes longer than `limit`.
    RunError
        If it fails: with its own message, or the last lines of its log. If its backend hangs or crashes: with the sample that
        it was running.
    """
    folder = spec.parent
    watchdog = Watchdog(folder, backend, limit)
    with nvidia_smi(wanted=device == "cuda") as printed:
        monitor = Monitor(folder, Gauge(nvidia=printed))

        def watch() -> None:
            if stopped and stopped():
                raise RunError("the run was stopped")
            watchdog()
            monitor()

        monitor()  # once, however short the run is
        status = run_child(
            [str(python), "-m", name, str(spec)],
            folder,
            folder / "stdout.log",
            folder / "stderr.log",
            {"PYTHONPATH": os.pathsep.join([str(program), *modules])} | SETTINGS | dict(variables or {}),
            watches_stdin=True,
            watch=watch,
            shown=stopped is None,
        )
    results = folder / "results.json"
    if status or not results.exists():
        raise _failure(folder, status)
    return Fields(read_json_object(results), results).record(Results, "the harness wrote it: its version is not for this ck")


def _failure(folder: Path, status: int) -> RunError:
    log = folder / "stderr.log"
    refuse_full(folder, "the run")
    report = folder / "error.json"
    if report.exists():
        row = Fields(read_json_object(report), report)
        return RunError(f"the benchmark failed: {row.text('error')}", hint=row.text("hint"), log=log)
    known = {row.value: row.name for row in signal.Signals}
    how = f"was ended by signal {known.get(-status, -status)}" if status < 0 else f"ended with exit status {status}"
    hint = "the system may be out of memory" if status == -signal.SIGKILL else ""
    return RunError(f"the harness {how}{_moment(folder)} and left no results", tail=last_lines(log), log=log, hint=hint)


def _moment(folder: Path) -> str:
    """What the harness was doing when it ended, if its sessions had started."""
    rows = read_running(folder)
    running = [row for row in rows if row.since]
    if any(row.is_loading for row in running):
        return " while the backend was loading the model"
    if running:
        return f" while the backend was running {' and '.join(map(str, running[:_LISTED]))}"
    last = [row for row in rows if not row.is_loading]
    return f" after {last[0]}" if last else ""

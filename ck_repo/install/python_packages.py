"""Python packages into a venv: by uv, and where uv cannot, by pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ck_repo import progress
from ck_repo.child import last_lines
from ck_repo.errors import InstallError
from ck_repo.install.pip_settings import pip_settings, uv_environment
from ck_repo.store.lock import locked


def install_python_packages(python: Path, requirements: Sequence[str], log: Path) -> str:
    """Install requirements into the venv of the interpreter `python`, all in one go.

    Returns
    -------
    str
        ``uv`` or ``pip``: what did it.
    """
    title = f"installing {', '.join(requirements)}"
    with locked(log.with_name("install.lock"), title), progress.task(title) as task:
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a", encoding="utf-8") as sink:
            uv = _uv()
            if uv:
                command = [uv, "pip", "install", "--quiet", "--python", str(python), *requirements]
                if not _run(command, os.environ | uv_environment(pip_settings()), sink, task):
                    return "uv"
                sink.write("uv could not; trying pip\n")
            command = [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                *requirements,
            ]
            if not _run(command, dict(os.environ), sink, task):
                return "pip"
    raise InstallError(
        f"{', '.join(requirements)} cannot be installed for {python}",
        tail=last_lines(log),
        log=log,
        hint="if a version does not exist for this Python, make the venv with another: `ck create venv:NAME --python=3.11`; "
        "without internet, point pip at your wheels (PIP_FIND_LINKS, PIP_INDEX_URL)",
    )


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or ""


def _run(command: Sequence[str], environment: dict[str, str], sink: IO[str], task: progress.Task) -> int:
    environment.pop("VIRTUAL_ENV", None)  # the venv that we are called from is not the one that we install into
    environment.pop("PYTHONPATH", None)
    print("$", *command, file=sink, flush=True)
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
    try:
        seconds = 0.0
        while True:
            try:
                return int(process.wait(timeout=0.5))
            except subprocess.TimeoutExpired:
                seconds += 0.5
                task.advance_to(seconds)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()

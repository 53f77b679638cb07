"""Shared fixtures: the local server, and the command `ck` in a separate process."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bare_venv import bare_venv
from patience import PATIENCE
from servers import server as server

from ck_repo.cli.main import main
from ck_repo.environment.lockfile import Lock, LockedPackage, write_lock
from ck_repo.environment.venv import DEFAULT_NAME
from ck_repo.machine.interpreter import find_interpreter
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


class Ck:
    """A `ck` that runs concurrently with the test."""

    def __init__(self, *words: str) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "ck_repo", *words, "--out=json"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)

    def prints(self, text: str) -> bool:
        """Wait until it prints this on stderr; false if it ends first."""
        assert self.process.stderr is not None
        return any(text in line for line in self.process.stderr)

    def answer(self) -> dict[str, Any]:
        """Wait for its end; its JSON, with all of stderr as `stderr`."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return {**json.loads(out), "stderr": err}

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Like `kill -9` or Ctrl-C."""
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def start() -> Iterator[Callable[..., Ck]]:
    """Start `ck` with these words; processes still running at the end of the test are killed."""
    running: list[Ck] = []

    def begin(*words: str) -> Ck:
        running.append(Ck(*words))
        return running[-1]

    yield begin
    for row in running:
        if row.process.poll() is None:
            row.kill()


@pytest.fixture
def package() -> Callable[..., Entry]:
    """Create a package in the repository `local`, tagged with its alias."""

    def make(alias: str, *steps: dict[str, Any], **meta: Any) -> Entry:
        repositories = Repositories()
        content = {"tags": [alias], "install": list(steps), **meta}
        return create_entry(repositories.writable(), "package", alias, content)

    return make


@pytest.fixture
def visible(ck_home: Path) -> Callable[[], list[str]]:
    """Entries in CK_TOOLS that a user sees."""

    def names() -> list[str]:
        root = ck_home / "CK-TOOLS"
        return sorted(row.name for row in root.iterdir() if not row.name.startswith(".")) if root.exists() else []

    return names


@pytest.fixture
def ck(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run `ck` in this process; return its JSON, whose return code must equal the exit status."""

    def run(*words: str) -> dict[str, Any]:
        status = main([*words, "--out=json"])
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert answer["return"] == status
        return answer

    return run


@pytest.fixture
def venv() -> Entry:
    """The part of the default venv that a script needs: an interpreter."""
    repositories = Repositories()
    meta = {"template": "none", "python_version": platform.python_version()}
    entry = create_entry(repositories.writable(), "venv", DEFAULT_NAME, meta)
    bare_venv(entry.path / "venv")
    return entry


@pytest.fixture
def lock(tmp_path: Path) -> Callable[..., str]:
    """Write a lock of packages; return the option that names its file."""

    def make(**packages: LockedPackage) -> str:
        found = find_interpreter("")
        interpreter = {"version": found.version, "implementation": found.implementation, "machine": found.machine}
        write_lock(tmp_path / "lock.json", Lock(interpreter, {"alias": "t"}, packages))
        return f"--lock={tmp_path / 'lock.json'}"

    return make

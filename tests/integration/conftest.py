"""What these tests share: the local server, and the command `ck` in a process of its own."""

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
from servers import WAIT
from servers import server as server

from ck_repo.cli.main import main
from ck_repo.environment.lockfile import Lock, LockedPackage, write_lock
from ck_repo.environment.venv import DEFAULT_NAME
from ck_repo.machine.interpreter import find_interpreter
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


class Ck:
    """A `ck` that runs beside the test."""

    def __init__(self, *words: str) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "ck_repo", *words, "--out=json"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)

    def said(self, text: str) -> bool:
        """Wait until it says so on stderr; false if it ends without."""
        assert self.process.stderr is not None
        return any(text in line for line in self.process.stderr)

    def answer(self) -> dict[str, Any]:
        """Wait for its end; its JSON, with all of stderr as `stderr`."""
        out, err = self.process.communicate(timeout=WAIT)
        return {**json.loads(out), "stderr": err}

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """As `kill -9` does it, or Ctrl-C."""
        self.process.send_signal(number)
        self.process.communicate(timeout=WAIT)


@pytest.fixture
def start() -> Iterator[Callable[..., Ck]]:
    """Start `ck` with these words; what still runs at the end of the test is killed."""
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
    """Make a package in the repository `local`, whose tag is its alias."""

    def make(alias: str, *steps: dict[str, Any], **meta: Any) -> Entry:
        repositories = Repositories()
        content = {"tags": [alias], "install": list(steps), **meta}
        return create_entry(repositories.writable(), "package", alias, content)

    return make


@pytest.fixture
def visible(ck_home: Path) -> Callable[[], list[str]]:
    """What a user sees in CK_TOOLS."""

    def names() -> list[str]:
        root = ck_home / "CK-TOOLS"
        return sorted(row.name for row in root.iterdir() if not row.name.startswith(".")) if root.exists() else []

    return names


@pytest.fixture
def ck(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run `ck` in this process; its JSON, and the exit status is what the JSON says."""

    def run(*words: str) -> dict[str, Any]:
        status = main([*words, "--out=json"])
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert answer["return"] == status
        return answer

    return run


@pytest.fixture
def venv() -> Entry:
    """The default venv, as far as a script needs one: an interpreter."""
    repositories = Repositories()
    meta = {"template": "none", "python_version": platform.python_version()}
    entry = create_entry(repositories.writable(), "venv", DEFAULT_NAME, meta)
    bare_venv(entry.path / "venv")
    return entry


@pytest.fixture
def lock(tmp_path: Path) -> Callable[..., str]:
    """Write a lock of packages; its file, as an option."""

    def make(**packages: LockedPackage) -> str:
        found = find_interpreter("")
        interpreter = {"version": found.version, "implementation": found.implementation, "machine": found.machine}
        write_lock(tmp_path / "lock.json", Lock(interpreter, {"alias": "t"}, packages))
        return f"--lock={tmp_path / 'lock.json'}"

    return make

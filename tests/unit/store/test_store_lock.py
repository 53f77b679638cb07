"""Locks between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ck_repo.errors import StorageError
from ck_repo.store.lock import locked

_HOLDER = """
import sys
from pathlib import Path
from ck_repo.store.lock import locked
with locked(Path(sys.argv[1]), "the other"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def _other(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_lock_of_another_process_is_reported(tmp_path: Path) -> None:
    with _other(tmp_path / "a.lock") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(StorageError, match="installing x: locked by another process"),
            locked(tmp_path / "a.lock", "installing x", wait=False),
        ):
            pass
        with locked(tmp_path / "b.lock", "another key", wait=False):
            pass
        other.communicate("\n")


def test_lock_is_released_when_holder_is_killed(tmp_path: Path) -> None:
    with _other(tmp_path / "a.lock") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.kill()
    with locked(tmp_path / "a.lock", "continuing", wait=False):
        pass


def test_waiting_process_says_so_and_continues(tmp_path: Path) -> None:
    with locked(tmp_path / "new" / "a.lock", "holding"):
        waiting = _other(tmp_path / "new" / "a.lock")
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == "the other: locked by another process; waiting\n"
    out, _ = waiting.communicate("\n")
    assert (waiting.returncode, out) == (0, "held\n")

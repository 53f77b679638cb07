"""Activating a venv: lines for a shell, a subshell, a command."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from patience import PATIENCE

from ck_repo.environment.activate import run_inside, shell_lines, user_shell
from ck_repo.environment.venv import Venv
from ck_repo.errors import NotFoundError, UsageError
from ck_repo.store.entry import Entry

NAMES = ["mine", "with space", "it's", "$(touch spoilt)", "a;b", "ünï"]


def venv_called(name: str, home: Path) -> Venv:
    """A venv whose activation prints its location, and a program in it."""
    folder = home / f"folder of {name}" / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "activate").write_text("VIRTUAL_ENV=active\nexport VIRTUAL_ENV\n")
    program = folder / "bin" / "tell"
    program.write_text('#!/bin/sh\necho "$CK_VENV in $VIRTUAL_ENV"\nexit 7\n')
    program.chmod(0o755)
    return Venv(name, Entry("local", "venv", name, "0" * 16, folder.parent), folder, "toy", "3.11.7")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_lines_work_for_any_name(name: str, shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    lines = shell_lines(venv_called(name, tmp_path), shell)
    script = "\n".join([*lines, 'printf "%s|%s" "$CK_VENV" "$VIRTUAL_ENV"'])
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{name}|active", "")
    assert not (tmp_path / "spoilt").exists()


@pytest.mark.parametrize(
    ("own", "wanted", "expected"),
    [("/bin/zsh", "", "zsh"), ("/usr/bin/fish", "bash", "bash"), ("/bin/tcsh", "", "bash"), ("", "", "bash"), ("", "sh", "sh")],
)
def test_shell_is_users_own_if_known(monkeypatch: pytest.MonkeyPatch, own: str, wanted: str, expected: str) -> None:
    monkeypatch.setenv("SHELL", own)
    assert user_shell(wanted) == expected


def test_unknown_shell_is_rejected() -> None:
    with pytest.raises(UsageError, match="--shell=tcsh is not one of bash, zsh, fish, sh"):
        user_shell("tcsh")


def test_command_runs_inside_venv(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    venv = venv_called("with space", tmp_path)
    assert run_inside(venv, ["tell"]) == 7
    assert capfd.readouterr().out == f"with space in {venv.folder}\n"


def test_command_arguments_are_unchanged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print(sys.argv[1:])"
    assert run_inside(venv_called("mine", tmp_path), [sys.executable, "-c", code, "a b", "$HOME", "*"]) == 0
    assert capfd.readouterr().out == "['a b', '$HOME', '*']\n"


def test_missing_command_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no-such-program") as caught:
        run_inside(venv_called("mine", tmp_path), ["no-such-program"])
    assert "--shell" not in caught.value.hint  # a command was requested, not a shell


def test_command_without_permission_is_reported(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("no program")
    with pytest.raises(NotFoundError, match=r"plain\.txt"):
        run_inside(venv_called("mine", tmp_path), [str(tmp_path / "plain.txt")])


ENTER = """
import sys
from pathlib import Path
from ck_repo.store.entry import Entry
from ck_repo.environment.activate import enter
from ck_repo.environment.venv import Venv
folder = Path(sys.argv[1])
venv = Venv(sys.argv[2], Entry("local", "venv", sys.argv[2], "0" * 16, folder.parent), folder, "toy", "3.11.7")
sys.exit(enter(venv, sys.argv[3]))
"""


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh"])
def test_subshell_is_in_venv_and_returns_its_status(tmp_path: Path, shell: str) -> None:
    """As on a terminal: the user's own start-up file is read first."""
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    venv = venv_called("with space", tmp_path)
    (tmp_path / ".bashrc").write_text("OWN=read\n")
    (tmp_path / ".zshrc").write_text("OWN=read\n")
    environment = {key: value for key, value in os.environ.items() if key not in ("ZDOTDIR", "ENV")} | {"HOME": str(tmp_path)}
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ENTER, str(venv.folder), venv.name, shell], env=environment, cwd=tmp_path,
        stdin=other, stdout=other, stderr=other, start_new_session=True,
    )  # fmt: skip
    os.close(other)
    os.write(terminal, b'echo "$CK_VENV|$VIRTUAL_ENV|$OWN" > seen; exit 5\n')
    try:
        with suppress(OSError):  # the end: the last process has closed its side
            while select.select([terminal], [], [], PATIENCE)[0] and os.read(terminal, 4096):
                pass
        assert process.wait(PATIENCE) == 5
    finally:
        process.kill()
        os.close(terminal)
    assert (tmp_path / "seen").read_text() == f"with space|active|{'' if shell == 'sh' else 'read'}\n"


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh", "fish"])
def test_shell_reading_from_pipe_is_in_venv(tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    venv = venv_called("with space", tmp_path)
    (venv.folder / "bin" / "activate.fish").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", ENTER, str(venv.folder), venv.name, shell], input="tell\n", text=True,
        env=dict(os.environ) | {"HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stdout == f"with space in {venv.folder}\n"
    assert done.returncode == 7

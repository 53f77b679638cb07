"""Enter a venv: a subshell with a changed prompt, a command, or lines for `eval`."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ck_repo.child import attach
from ck_repo.child_environment import child_environment
from ck_repo.environment.venv import Venv
from ck_repo.errors import NotFoundError, UsageError

SHELLS = ("bash", "zsh", "fish", "sh")


def shell_lines(venv: Venv, shell: str) -> list[str]:
    """The lines that a shell evaluates to enter the venv.

    Parameters
    ----------
    shell
        ``bash``, ``zsh``, ``sh`` or ``fish``.
    """
    folder = shlex.quote(str(venv.folder / "bin"))
    if shell == "fish":
        return [f"source {folder}/activate.fish", f"set -gx CK_VENV {shlex.quote(venv.name)}"]
    return [f". {folder}/activate", f"export CK_VENV={shlex.quote(venv.name)}"]


def user_shell(wanted: str = "") -> str:
    """The shell's name: the requested one, else the user's if it is supported, else bash."""
    if wanted and wanted not in SHELLS:
        raise UsageError(f"--shell={wanted} is not one of {', '.join(SHELLS)}")
    own = Path(os.environ.get("SHELL", "")).name
    return wanted or (own if own in SHELLS else "bash")


def enter(venv: Venv, shell: str) -> int:
    """Open a subshell in the venv; return its exit status.

    A shell that is not interactive, for example in a pipe, does not evaluate the lines: it gets the venv through its
    environment.
    """
    interactive = os.isatty(0) and os.isatty(2)
    return open_shell(shell_lines(venv, shell), shell, None if interactive else _inside(venv))


def open_shell(evaluated: Sequence[str], shell: str, variables: Mapping[str, str] | None = None) -> int:
    """Open a subshell that evaluates lines after the user's own settings; return its exit status.

    Parameters
    ----------
    evaluated
        The lines. A shell whose input is not a terminal does not read them.
    variables
        Its environment; the current one if None.
    """
    lines = "\n".join(evaluated) + "\n"
    with tempfile.TemporaryDirectory(prefix="ck-shell-") as scratch:
        environment = child_environment() if variables is None else dict(variables)
        command = [shell]
        if shell == "bash":
            start = Path(scratch, "rc")
            start.write_text(f"[ -f ~/.bashrc ] && . ~/.bashrc\n{lines}")
            command += ["--rcfile", str(start)]
        elif shell == "zsh":
            own = os.environ.get("ZDOTDIR") or "$HOME"
            Path(scratch, ".zshrc").write_text(f'[ -f "{own}/.zshrc" ] && . "{own}/.zshrc"\n{lines}')
            environment["ZDOTDIR"] = scratch
        elif shell == "fish":
            command += ["--init-command", lines]
        else:
            start = Path(scratch, "rc")
            start.write_text(lines)
            environment["ENV"] = str(start)
        return _run(command, environment, f"choose another with --shell= ({', '.join(SHELLS)})")


def run_inside(venv: Venv, command: Sequence[str]) -> int:
    """Run one command with the venv's programs first in PATH; return its exit status."""
    return _run(command, _inside(venv), "it is searched in the venv first, then in PATH")


def _inside(venv: Venv) -> dict[str, str]:
    """The environment of a program in the venv."""
    path = f"{venv.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return child_environment({"VIRTUAL_ENV": str(venv.folder), "CK_VENV": venv.name, "PATH": path})


def _run(command: Sequence[str], environment: dict[str, str], hint: str) -> int:
    try:
        return attach(command, environment)
    except (FileNotFoundError, PermissionError) as error:
        raise NotFoundError(f"{command[0]} cannot be run: {error.strerror}", hint=hint) from None

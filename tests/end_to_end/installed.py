"""The installed command, and how tests run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patience import PATIENCE


@dataclass
class Ck:
    """The installed command, with CK folders of its own.

    Attributes
    ----------
    program
        The executable.
    home
        Holds CK_REPOS, CK_TOOLS and the working directory.
    """

    program: Path
    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The command's environment, without our variables."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CK_", "PYTHON", "VIRTUAL_ENV"))}
        return kept | {"CK_REPOS": str(self.home / "CK"), "CK_TOOLS": str(self.home / "CK-TOOLS")} | self.extra

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command."""
        settings: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([self.program, *words], env=self.environment, cwd=self.home, text=True, **(settings | options))

    def text(self, *words: str, status: int = 0) -> str:
        """The stdout of a command; its exit status must be `status`."""
        process = self.start(*words)
        output, errors = process.communicate()
        assert process.returncode == status, f"{words}: exit status {process.returncode}\n{output}\n{errors}"
        return output

    def json(self, *words: str) -> dict[str, Any]:
        """The JSON object of a command; the exit status is the object's ``return``."""
        process = self.start(*words, "--out=json")
        output, errors = process.communicate()
        answer = json.loads(output)
        assert process.returncode == answer["return"], errors
        return dict(answer)

    def good(self, *words: str) -> dict[str, Any]:
        """The JSON object of a command that must succeed."""
        answer = self.json(*words)
        assert answer["return"] == 0, answer.get("error")
        return answer

    def stop_when(self, words: tuple[str, ...], seen: Callable[[], bool], number: signal.Signals) -> str:
        """Start a command and send it a signal once `seen()`; return its stderr."""
        process = self.start(*words)
        while not seen():
            assert process.poll() is None, "it ended before it could be stopped: " + process.communicate()[1]
        process.send_signal(number)
        return process.communicate(timeout=PATIENCE)[1]


def ck_with_demo(program: Path, home: Path) -> Ck:
    """CK folders in which the demo has run once."""
    ck = Ck(program, home)
    ck.good("run", "program:object-detection", "--mode=accuracy")
    return ck

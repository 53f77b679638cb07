"""The command as a user types it, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ck_repo.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit status."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as one JSON object on one line."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


@pytest.fixture
def ck(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command."""

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(list(words))
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run

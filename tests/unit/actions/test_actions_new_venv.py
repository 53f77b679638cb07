"""`ck create venv` asks before it creates a venv under a name that may be a typo."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from ck_repo import progress
from ck_repo.actions.new_venv import confirm_new_venv
from ck_repo.actions.request import Request, Target
from ck_repo.errors import UsageError
from ck_repo.session import Session
from ck_repo.store.writing import create_entry


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch, ck_home: Path) -> list[str]:
    """The message, with an existing venv `mine`."""
    lines: list[str] = []
    monkeypatch.setattr(progress, "say", lines.append)
    create_entry(Session().repositories.writable(), "venv", "mine", {})
    return lines


def _asked(name: str) -> None:
    confirm_new_venv(Request("run", Target("program", "x"), options={"venv": name}))


def test_unknown_name_suggests_nearest(messages: list[str]) -> None:
    _asked("mime")
    assert messages == ["there is no venv:mime, so a new one will be created; did you mean --venv=mine?"]


def test_terminal_user_is_asked(messages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal("n\n"))
    with pytest.raises(UsageError, match="nothing was changed"):
        _asked("other")
    assert messages == ["there is no venv:other, so a new one will be created; there is mine"]


@pytest.mark.parametrize("name", ["", "mine"])
def test_known_name_is_not_mentioned(messages: list[str], name: str) -> None:
    _asked(name)
    assert messages == []

"""Messages when stock CK is in the same environment."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.cli import neighbour

Ck = Callable[..., Any]  # the fixture `ck`


@pytest.fixture
def stock_ck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which a distribution `ck` is installed."""
    folder = tmp_path / "site" / "ck-2.6.4.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: ck\nVersion: 2.6.4\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()


def test_no_message_without_stock_ck() -> None:
    assert neighbour.warning() == ""


@pytest.mark.usefixtures("stock_ck")
@pytest.mark.parametrize("words", ["version", "--version", "help", "ls venv --help"])
def test_version_and_help_name_the_other_command(ck: Ck, words: str) -> None:
    done = ck(*words.split())
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "stock CK 2.6.4" in done.err
    assert "ck-repo" in done.err


@pytest.mark.usefixtures("stock_ck")
def test_other_commands_do_not_repeat_it(ck: Ck) -> None:
    assert ck("ls", "venv").err == ""

"""The answer as a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`


@pytest.mark.parametrize(("words", "code"), [("ls venv.template", 0), ("ls venv:nonesuch", 16)])
def test_the_answer_is_also_written_to_a_file_that_is_asked_for(
    ck: Ck, words: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ck(*words.split(), "--out=json")
    monkeypatch.setenv("CK_ANSWER_FILE", str(tmp_path / "answer.json"))
    text = ck(*words.split())
    assert text.code == code
    assert json.loads((tmp_path / "answer.json").read_text()) == plain.json

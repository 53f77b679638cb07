"""Writing the answer to a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`


@pytest.mark.parametrize(("words", "code"), [("ls venv.template", 0), ("ls venv:nonesuch", 16)])
def test_answer_is_also_written_to_given_file(
    ck: Ck, words: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ck(*words.split(), "--out=json")
    monkeypatch.setenv("CK_ANSWER_FILE", str(tmp_path / "answer.json"))
    text = ck(*words.split())
    assert text.code == code
    assert json.loads((tmp_path / "answer.json").read_text()) == plain.json


_EVIL = "\x1b]0;owned\x07\x1b[2Ja\x9b31m\rb\u202ec"


def test_terminal_sequences_in_meta_are_escaped(ck: Ck) -> None:
    metas = {
        "experiment:e": {"data_name": _EVIL, "model": _EVIL},
        "env:e": {"name": _EVIL, "path": _EVIL, "source": "package"},
        "package:p": {"priority": _EVIL},
    }
    for name, meta in metas.items():
        assert ck("add", name, "@@@" + json.dumps({"dict": {"tags": ["x"], **meta}})).code == 0
    for words in (
        "ls experiment", "show experiment:e", "load experiment:e", "show env", "refresh env", "cat env:e",
        "search package:p", "show package:p", "explain package --tags=x", "check repo:local",
    ):  # fmt: skip
        done = ck(*words.split())
        odd = [sign for sign in done.out + done.err if not (sign.isprintable() or sign in "\t\n")]
        assert not odd, f"{words}: {odd}"


def test_terminal_sequences_in_errors_are_escaped(ck: Ck) -> None:
    done = ck("show", f"experiment:{_EVIL}")
    assert done.code
    assert not [sign for sign in done.out + done.err if not (sign.isprintable() or sign in "\t\n")]

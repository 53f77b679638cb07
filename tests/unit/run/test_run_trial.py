"""A registered model is tried with our own program."""

from __future__ import annotations

from pathlib import Path

import pytest

from ck_repo.run import trial
from ck_repo.run.options import RunOptions
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.folders import is_ours
from ck_repo.store.writing import create_entry


def test_program_of_same_name_in_another_repository_is_not_run(ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Entry] = []

    def prepare(session: Session, program: Entry, options: RunOptions) -> None:
        chosen.append(program)

    session = Session()
    create_entry(session.repositories.writable(), "program", "object-detection", {"harness": "theirs"})
    monkeypatch.setattr(trial, "prepare", prepare)
    trial._plan(session, RunOptions(dataset="some"))
    assert [is_ours(entry.path) for entry in chosen] == [True]

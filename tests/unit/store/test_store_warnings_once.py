"""`warn_once`: a repository's problem is reported once, one line per module, and again only with new problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from ck_repo.store.warnings_once import Problems, warn_once


def test_problem_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        warn_once("theirs", "package", ["a is not JSON"])
    assert capsys.readouterr().err == "warning: package skipped: a is not JSON\n"


def test_known_part_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    warn_once("theirs", "package", ["a", "b"])
    warn_once("theirs", "package", ["b"])
    warn_once("theirs", "soft", ["b"])
    warn_once("theirs", "package", ["a", "b", "c"])
    assert [line.split(";")[0] for line in capsys.readouterr().err.splitlines()] == [
        "warning: theirs: 2 package entries cannot be used",
        "warning: soft skipped: b",
        "warning: theirs: 3 package entries cannot be used",
    ]


def test_one_line_per_repository(capsys: pytest.CaptureFixture[str]) -> None:
    problems = Problems()
    for repository in ("one", "two"):
        for what in ("a", "b"):
            problems.add(repository, "package", what)
    problems.warn()
    assert "`ck check repo:two` lists them" in capsys.readouterr().err.splitlines()[1]


@pytest.mark.parametrize("damage", ["folder", "content"])
def test_unremembered_problem_is_reported_each_time(ck_home: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    record = ck_home / "CK" / ".index" / "said"
    if damage == "folder":
        record.parent.mkdir(parents=True)
        record.write_text("a file where a folder would be")
    for _ in range(2):
        warn_once("theirs", "package", ["a"])
        for place in record.glob("*.json") if record.is_dir() else []:
            place.write_text("{")
    assert capsys.readouterr().err.count("skipped: a") == 2

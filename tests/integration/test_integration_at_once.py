"""Concurrent writers: no change is lost, one of several claims to a name wins, and the others fail with a message."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load
from ck_repo.store.writing import create_entry

_RUNNER = """
import sys
from ck_repo.cli.main import main
print("ready", flush=True)
sys.stdin.readline()
sys.exit(main(sys.argv[1:]))
"""
Outcome = tuple[int, str]


def at_once(commands: Sequence[Sequence[str]]) -> list[Outcome]:
    """Start every command, release them simultaneously, and return exit status and stderr of each."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _RUNNER, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in commands
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert not any("Traceback" in text or "bug in ck" in text for text in errors)
    return [(process.returncode, text) for process, text in zip(processes, errors, strict=True)]


def _statuses(outcomes: list[Outcome]) -> list[int]:
    return sorted(code for code, _ in outcomes)


@pytest.fixture
def entry(ck_home: Path) -> None:
    """An entry that all processes write to."""
    create_entry(Repositories().writable(), "dataset", "a", {"tags": ["x"]})


@pytest.fixture(autouse=True)
def nothing_left(ck_home: Path) -> object:
    """After each test only complete entries exist."""
    yield
    assert [path.name for path in repos_root().glob(".pending/*")] == ["commit.lock"]
    hidden = [path for path in repos_root().glob("local/*/.*") if path.name != ".cm" and path.parent.name != ".bin"]
    assert hidden == []
    assert all((folder / "entry" / ".cm" / "meta.json").exists() for folder in repos_root().glob("local/.bin/[0-9]*"))


@pytest.mark.usefixtures("entry")
def test_eight_concurrent_updates_of_an_entry_lose_none() -> None:
    done = at_once([["update", "dataset:a", f"--dict.key{number}=1"] for number in range(8)])
    assert _statuses(done) == [0] * 8
    assert set(load(Repositories(), "dataset", "a").meta()) == {"tags", *(f"key{number}" for number in range(8))}


@pytest.mark.usefixtures("entry")
def test_one_of_three_concurrent_renames_wins() -> None:
    done = at_once([["ren", "dataset:a", f"dataset:b{number}"] for number in range(3)])
    assert _statuses(done)[0] == 0
    assert set(_statuses(done)[1:]) <= {4, 16}
    assert all("dataset:a" in text for code, text in done if code)
    assert len(find(Repositories(), "dataset")) == 1


@pytest.mark.usefixtures("entry")
def test_concurrent_remove_and_rename_leave_one_state() -> None:
    done = at_once([["rm", "dataset:a", "--force"], ["ren", "dataset:a", "dataset:b"]])
    assert 0 in _statuses(done)
    assert len(find(Repositories(), "dataset")) == (1 if done[1][0] == 0 and done[0][0] else 0)


def test_one_of_eight_adding_an_alias_wins() -> None:
    done = at_once([["add", "dataset:a", f"--tags=t{number}"] for number in range(8)])
    assert _statuses(done) == [0] + [4] * 7
    winner = next(number for number, (code, _) in enumerate(done) if code == 0)
    assert load(Repositories(), "dataset", "a").tags() == {f"t{winner}"}


def test_one_of_eight_adding_a_uid_wins() -> None:
    done = at_once([["add", f"dataset:a{number}", f"--data_uid={'c' * 16}"] for number in range(8)])
    assert _statuses(done) == [0] + [4] * 7
    assert len(find(Repositories(), "dataset")) == 1


@pytest.mark.usefixtures("entry")
def test_one_of_two_writing_an_archive_wins(tmp_path: Path) -> None:
    output = tmp_path / "out.zip"
    done = at_once([["zip", "dataset:a", f"--archive_name={output}"]] * 4)
    assert _statuses(done) == [0, 4, 4, 4]
    assert zipfile.ZipFile(output).testzip() is None
    assert [path.name for path in tmp_path.iterdir() if "zip" in path.name] == ["out.zip"]


def test_file_detected_eight_times_is_one_entry(tmp_path: Path) -> None:
    done = at_once([["detect", "soft:compiler.python", f"--full_path={sys.executable}"]] * 8)
    assert _statuses(done) == [0] * 8
    assert len(find(Repositories(), "env")) == 1


def test_package_installed_by_four_is_installed_once(tmp_path: Path) -> None:
    recipe = {"tags": ["made"], "version": "1", "install": [{"copy": {"file": "data.txt"}}], "file": "data.txt"}
    made = create_entry(Repositories().writable(), "package", "made", recipe)
    (made.path / "data.txt").write_text("content")
    done = at_once([["install", "package:made"]] * 4)
    assert _statuses(done) == [0] * 4, done
    assert len(find(Repositories(), "env")) == 1
    assert len(list(Path(os.environ["CK_TOOLS"]).glob("made-*"))) == 1

"""Entries are written, changed, copied, moved and removed in CK's format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.errors import ConflictError, NotFoundError, UsageError
from ck_repo.store import writing
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import Repository
from ck_repo.store.search import find, load

Add = Callable[..., Entry]


@pytest.fixture
def other() -> Repository:
    """A second repository."""
    return Repositories().add("other")


def _aliases(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / ".cm").iterdir()}


def test_entry_has_ck_layout_on_disk(add: Add, datasets: Path) -> None:
    entry = add("a", "x,y", size=3)
    module = "8a7141c59cd335f5"  # as in stock CK's repositories
    assert json.loads((entry.path / ".cm" / "meta.json").read_text()) == {"tags": ["x", "y"], "size": 3}
    info = json.loads((entry.path / ".cm" / "info.json").read_text())
    assert (info["backup_data_uid"], info["backup_module_uid"], info["backup_module_uoa"]) == (entry.uid, module, "dataset")
    assert info["data_name"] == "a"
    assert _aliases(datasets) == {"alias-a-a": entry.uid + "\n", f"alias-u-{entry.uid}": "a\n"}
    assert _aliases(datasets.parent) == {"alias-a-dataset": module + "\n", f"alias-u-{module}": "dataset\n"}


def test_existing_name_is_rejected_and_nothing_changes(add: Add, datasets: Path) -> None:
    entry = add("a", "old")
    with pytest.raises(ConflictError, match="dataset:a already exists in local"):
        add("a", "new")
    assert load(Repositories(), "dataset", "a").uid == entry.uid
    assert entry.tags() == {"old"}
    assert sorted(path.name for path in datasets.iterdir()) == [".cm", "a"]


def test_existing_uid_is_rejected(add: Add) -> None:
    entry = add("a")
    with pytest.raises(ConflictError, match=entry.uid):
        add("b", uid=entry.uid)
    assert load(Repositories(), "dataset", entry.uid).alias == "a"


@pytest.mark.parametrize("name", ["../x", "a/b", "../../../x", "..", "a/..", ".x", "a\\b", "a\nb"])
def test_unsafe_name_is_rejected(add: Add, name: str, datasets: Path) -> None:
    entry = add("good")
    local = Repositories().writable()
    before = sorted(repos_root().parent.rglob("*"))
    attempts: list[Callable[[], Entry]] = [
        lambda: add(name),
        lambda: writing.copy_entry(entry, local, "dataset", name),
        lambda: writing.move_entry(entry, local, "dataset", name),
    ]
    for attempt in attempts:
        with pytest.raises(UsageError, match="is not a valid name"):
            attempt()
    assert sorted(repos_root().parent.rglob("*")) == before


def test_overlong_folder_name_is_rejected(add: Add) -> None:
    with pytest.raises(NotFoundError):
        load(Repositories(), "package", "x" * 256)
    with pytest.raises(UsageError, match="is not a valid name"):
        add("x" * 256)


def test_copy_has_its_own_uid_and_all_files(add: Add, other: Repository) -> None:
    entry = add("a", "x")
    (entry.path / "sub").mkdir()
    (entry.path / "sub" / "file").write_text("content")
    copy = writing.copy_entry(entry, other, "datafile", "b")
    assert (copy.path / "sub" / "file").read_text() == "content"
    assert copy.uid != entry.uid
    assert load(Repositories(), "datafile", copy.uid).repository == "other"
    assert load(Repositories(), "dataset", entry.uid).alias == "a"
    assert copy.info()["data_name"] == "b"


def test_moved_entry_keeps_its_uid(add: Add, other: Repository, datasets: Path) -> None:
    entry = add("a", "x")
    writing.move_entry(entry, other, "dataset", "b")
    found = load(Repositories(), "dataset", entry.uid)
    assert (found.repository, found.alias, found.tags()) == ("other", "b", frozenset({"x"}))
    assert _aliases(datasets) == {}
    assert not entry.path.exists()


@pytest.mark.parametrize("how", [writing.copy_entry, writing.move_entry])
def test_info_json_names_the_new_module(add: Add, how: Callable[..., Entry]) -> None:
    done = how(add("a"), Repositories().writable(), "soft", "a")
    assert done.info()["backup_module_uoa"] == "soft"
    assert done.info()["backup_module_uid"] == "5e1100048ab875d7"


def test_renaming_to_same_name_keeps_entry(add: Add) -> None:
    entry = add("a", "x")
    assert writing.move_entry(entry, Repositories().writable(), "dataset", "a") == entry
    assert load(Repositories(), "dataset", entry.uid) == entry


def test_new_uid_separates_entries_with_one_uid(add: Add, by_hand: Callable[..., Path], datasets: Path) -> None:
    entry = add("a")
    by_hand(datasets / "b", {})
    (datasets / "b" / ".cm" / "info.json").write_text(json.dumps({"backup_data_uid": entry.uid}))
    b = load(Repositories(), "dataset", "b")
    done = writing.move_entry(b, Repositories().writable(), "dataset", "b", new_identity=True)
    assert load(Repositories(), "dataset", done.uid).alias == "b"
    assert load(Repositories(), "dataset", entry.uid).alias == "a"


_ADDER = """
import sys
from ck_repo.errors import ConflictError
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry
repositories = Repositories()
local = repositories.writable()
sys.stdin.readline()
for number in range(150):
    try:
        print(create_entry(local, "dataset", f"e{number}", {}).uid, flush=True)
    except ConflictError:
        pass
"""


def test_one_of_two_processes_adding_a_name_succeeds(datasets: Path) -> None:
    Repositories().writable()
    command = [sys.executable, "-c", _ADDER]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [uid for process in both for uid in process.communicate()[0].split()]
    assert [process.returncode for process in both] == [0, 0]
    written = {entry.info()["backup_data_uid"] for entry in find(Repositories(), "dataset")}
    assert len(written) == 150
    assert sorted(printed) == sorted(written)
    assert {entry.uid for entry in find(Repositories(), "dataset")} == written


@pytest.mark.parametrize("name", ["a\tb", "a\x1b[31mb", "a\u200bb", "a\udcffb"])
def test_unprintable_name_is_rejected(add: Add, name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name") as caught:
        add(name)
    assert str(caught.value).isascii()


def test_folder_with_unprintable_name_is_ignored_everywhere(
    add: Add, by_hand: Callable[..., Path], datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add("good", "x")
    for name in ("a\tb", "c\udcff"):
        by_hand(datasets / name, {"tags": ["x"]})
    assert [entry.alias for entry in find(Repositories(), "dataset")] == ["good"]
    assert [entry.alias for entry in find(Repositories(), "dataset", tags="x")] == ["good"]
    assert "warning: " in capsys.readouterr().err


def test_names_differing_in_case_are_two_entries(add: Add) -> None:
    one, other = add("a", "x"), add("A", "y")
    assert load(Repositories(), "dataset", "a").uid == one.uid
    assert load(Repositories(), "dataset", "A").tags() == {"y"}
    assert load(Repositories(), "dataset", other.uid).alias == "A"


def test_entry_with_longest_name_is_renamed_copied_and_removed(add: Add) -> None:
    local = Repositories().writable()
    entry = add("x" * 200, "x")
    moved = writing.move_entry(entry, local, "dataset", "y" * 200)
    copy = writing.copy_entry(moved, local, "dataset", "z" * 200)
    writing.remove_entry(moved)
    assert [row.uid for row in find(Repositories(), "dataset", tags="x")] == [copy.uid]


def test_move_of_entry_removed_meanwhile_is_reported(add: Add, other: Repository) -> None:
    entry = add("a")
    writing.remove_entry(entry)
    with pytest.raises(ConflictError, match="another process has renamed, replaced or removed dataset:a"):
        writing.move_entry(entry, other, "dataset", "b")


def test_existing_uid_error_has_matching_hint(add: Add) -> None:
    entry = add("a")
    local = Repositories().writable()
    with pytest.raises(ConflictError) as caught:
        writing.create_entry(local, "dataset", "b", {}, uid=entry.uid)
    assert "--data_uid" in caught.value.hint
    folder = entry.path.with_name("b")
    with pytest.raises(ConflictError) as caught, writing.staged(folder) as staging:
        writing.publish(local, "dataset", staging, folder, entry.uid)
    assert caught.value.hint == "UIDs are unique: `ck rm dataset:a` removes the other entry"


@pytest.fixture
def odd(add: Add, tmp_path: Path) -> Entry:
    """An entry with links in and out, and a pipe."""
    entry = add("odd")
    (entry.path / "deep").mkdir()
    (entry.path / "deep/file").write_text("hi")
    for name, target in (("in", "deep/file"), ("folder", "deep"), ("gone", "missing"), ("loop", "loop"), ("deep/up", "../in")):
        (entry.path / name).symlink_to(target)
    for name, target in (("out", "/etc/passwd"), ("deep/out", "../../other"), ("away", str(tmp_path))):
        (entry.path / name).symlink_to(target)
    os.mkfifo(entry.path / "deep/pipe")
    return entry


def test_copy_omits_outside_links_with_message(odd: Entry, ck: Callable[..., Any]) -> None:
    done = ck("cp", "dataset:odd", "dataset:copy")
    copy = odd.path.parent / "copy"
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if ".cm" not in path.parts}
    assert found == {"deep", "deep/file", "deep/up", "in", "folder", "gone"}
    assert (copy / "deep/up").read_text() == "hi"
    assert done.code == 0
    assert "dataset:odd: not copied: away (a link that leads out of" in done.err
    assert "deep/pipe (a named pipe)" in done.err


def test_move_within_a_file_system_loses_nothing(odd: Entry, other: Repository) -> None:
    before = {str(path.relative_to(odd.path)) for path in odd.path.rglob("*")}
    moved = writing.move_entry(odd, other, "dataset", "moved")
    assert {str(path.relative_to(moved.path)) for path in moved.path.rglob("*")} == before

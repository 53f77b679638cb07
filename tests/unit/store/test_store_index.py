"""The index is never stale: every manual change of files is seen by the next search."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ck_repo.store import index, writing
from ck_repo.store.entry import Entry, read_uid
from ck_repo.store.folders import repos_root
from ck_repo.store.lookup import Lookup
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load

Add = Callable[..., Entry]
Tagged = Callable[[str], list[str]]
Indexed = Callable[[], None]


@pytest.fixture(autouse=True)
def two_entries(add: Add, indexed: Indexed) -> None:
    """Two indexed data sets."""
    add("a", "x,one")
    add("b", "x,two")
    indexed()


def _retag(folder: Path, *tags: str) -> None:
    (folder / ".cm" / "meta.json").write_text(json.dumps({"tags": tags}))


def _index_file() -> Path:
    (path,) = (repos_root() / ".index").glob("*.sqlite")
    return path


def test_every_consecutive_edit_is_detected(datasets: Path, tagged: Tagged) -> None:
    assert tagged("one") == ["a"]
    for number in range(30):  # several within one tick of the file system's clock
        _retag(datasets / "a", f"t{number}")
        assert tagged(f"t{number}") == ["a"]


def _swap(a: Path, b: Path) -> None:
    for old, new in ((a, a.with_name("t")), (b, a), (a.with_name("t"), b)):
        old.rename(new)


def _rename_over(a: Path, b: Path) -> None:
    shutil.rmtree(b)
    a.rename(b)


@pytest.mark.parametrize(
    ("change", "one", "two"),
    [
        (lambda a, b: shutil.copytree(a, a.with_name("c")), ["a", "c"], ["b"]),
        (lambda a, b: shutil.rmtree(a), [], ["b"]),
        (lambda a, b: a.rename(a.with_name("c")), ["c"], ["b"]),
        (_rename_over, ["b"], []),
        (_swap, ["b"], ["a"]),
        (lambda a, b: shutil.copytree(a, a.with_name(".a.1.new")), ["a"], ["b"]),
        (lambda a, b: a.with_name("a file").write_text(""), ["a"], ["b"]),
    ],
    ids=["copied", "removed", "renamed", "renamed over", "swapped", "unfinished", "a file"],
)
def test_folder_changes_are_detected(
    datasets: Path, tagged: Tagged, change: Callable[[Path, Path], object], one: list[str], two: list[str]
) -> None:
    change(datasets / "a", datasets / "b")
    assert (tagged("one"), tagged("two"), tagged("x")) == (one, two, sorted(one + two))


def test_older_file_replacing_newer_is_detected(datasets: Path, tagged: Tagged, tmp_path: Path) -> None:
    meta = datasets / "a" / ".cm" / "meta.json"
    (tmp_path / "older.json").write_text(meta.read_text().replace("one", "old"))  # of the same size, too
    os.utime(tmp_path / "older.json", (1, 1))
    shutil.copy2(tmp_path / "older.json", meta)
    assert meta.stat().st_mtime == 1
    assert (tagged("old"), tagged("one")) == (["a"], [])


def test_folder_moved_in_with_preserved_parent_time_is_detected(datasets: Path, tagged: Tagged) -> None:
    before = datasets.stat()
    shutil.copytree(datasets / "a", datasets / "c")
    os.utime(datasets, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `rsync -a` and `tar -x` do
    assert tagged("one") == ["a", "c"]


def test_folder_replaced_by_one_with_same_change_time_is_detected(datasets: Path, tagged: Tagged, indexed: Indexed) -> None:
    metas = [datasets / f"{number:016x}" / ".cm" / "meta.json" for number in range(100)]
    for meta in metas:
        meta.parent.mkdir(parents=True)
    for meta in metas:  # as git, cp and unzip write them: many within one tick of the file system's clock
        file = os.open(meta, os.O_CREAT | os.O_WRONLY)
        os.write(file, json.dumps({"tags": [meta.parts[-3]]}).encode())
        os.close(file)
    times = [meta.stat().st_ctime_ns for meta in metas]
    same = [number for number in range(99) if times[number] == times[number + 1]]
    if not same:
        pytest.skip("this file system's clock tells any two files apart")
    indexed()
    first, second = (metas[same[0] + step].parents[1] for step in (0, 1))
    shutil.rmtree(first)
    second.rename(first)
    assert tagged(second.name) == [first.name]


def test_corrupted_and_repaired_meta_is_detected(
    datasets: Path, tagged: Tagged, indexed: Indexed, capsys: pytest.CaptureFixture[str]
) -> None:
    (datasets / "a" / ".cm" / "meta.json").write_text("{")
    indexed()
    assert tagged("x") == ["b"]
    _retag(datasets / "a", "x")
    assert tagged("x") == ["a", "b"]


def test_restored_uid_is_detected(
    datasets: Path, tagged: Tagged, indexed: Indexed, by_hand: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand(datasets / "c", {"tags": ["x"]})
    indexed()
    assert "c has no UID" in capsys.readouterr().err
    (datasets / ".cm" / "alias-a-c").write_text("0123456789abcdef\n")
    assert tagged("x") == ["a", "b", "c"]


def test_new_uid_ends_duplicate_uid_warning(
    datasets: Path, tagged: Tagged, indexed: Indexed, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(datasets / "a", datasets / "c")
    indexed()
    assert "a and c have the same UID" in capsys.readouterr().err
    c = load(Repositories(), "dataset", "c")
    done = writing.move_entry(c, Repositories().writable(), "dataset", "c", new_identity=True)
    tagged("x")
    assert "same UID" not in capsys.readouterr().err
    assert load(Repositories(), "dataset", c.uid).alias == "a"
    assert load(Repositories(), "dataset", done.uid).alias == "c"


def test_manually_changed_uid_is_found_without_alias_files(datasets: Path, indexed: Indexed) -> None:
    shutil.rmtree(datasets / ".cm")
    (datasets / ".cm").mkdir()
    indexed()
    (datasets / "a" / ".cm" / "info.json").write_text('{"backup_data_uid": "0123456789abcdef"}')
    assert load(Repositories(), "dataset", "0123456789abcdef").alias == "a"


def test_unchanged_entries_are_not_reread(datasets: Path, tagged: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    really = index._read

    def recorded(folder: Path) -> Any:
        read.append(folder.name)
        return really(folder)

    monkeypatch.setattr(index, "_read", recorded)
    assert tagged("x") == ["a", "b"]
    assert read == []
    _retag(datasets / "b", "x")
    assert tagged("x") == ["a", "b"]
    assert read == ["b"]


def _garbage(content: bytes) -> bytes:
    return os.urandom(len(content))


def _header_only(content: bytes) -> bytes:
    return content[:100] + os.urandom(len(content) - 100)


def _tail(content: bytes) -> bytes:
    return content[:8192] + bytes([255]) * (len(content) - 8192)


@pytest.mark.parametrize(
    "damage", [_garbage, _header_only, _tail, lambda content: content[: len(content) // 2], lambda content: b""],
    ids=["garbage", "header kept", "tail spoilt", "cut", "empty"],
)  # fmt: skip
def test_corrupt_index_is_rebuilt(tagged: Tagged, damage: Callable[[bytes], bytes]) -> None:
    path = _index_file()
    path.write_bytes(damage(path.read_bytes()))
    assert tagged("one") == ["a"]
    assert tagged("x") == ["a", "b"]


def test_search_works_without_index(datasets: Path, tagged: Tagged) -> None:
    shutil.rmtree(repos_root() / ".index")
    assert tagged("x") == ["a", "b"]
    shutil.rmtree(repos_root() / ".index")
    (repos_root() / ".index").write_text("a file in its place")
    assert tagged("x") == ["a", "b"]
    _retag(datasets / "a", "edited")
    assert tagged("edited") == ["a"]
    assert load(Repositories(), "dataset", read_uid(datasets / "a")).alias == "a"


def test_entry_is_found_by_words_that_are_not_tags(datasets: Path) -> None:
    meta = datasets / "a" / ".cm" / "meta.json"
    meta.write_text(json.dumps({"tags": ["x"], "found_by": ["run 1", 7]}))
    lookup = Lookup(Repositories(), "dataset")
    assert [entry.alias for entry in lookup.found_by("run 1")] == ["a"]
    assert lookup.found_by("7") == []
    assert lookup.tags() == {"x", "a", "b", "two"}
    meta.write_text(json.dumps({"tags": ["x"]}))
    assert Lookup(Repositories(), "dataset").found_by("run 1") == []


def test_folder_with_undecodable_name_is_ignored(datasets: Path, tagged: Tagged) -> None:
    try:
        os.mkdir(os.fsencode(datasets) + b"/\xff\xfe")
    except OSError:
        pytest.skip("this file system takes text only")
    assert tagged("x") == ["a", "b"]


def test_change_by_another_process_is_detected(datasets: Path, tagged: Tagged) -> None:
    search = [sys.executable, "-m", "ck_repo", "search", "dataset", "--tags=edited"]
    assert subprocess.run(search, capture_output=True, text=True, check=True).stdout == ""
    _retag(datasets / "a", "edited")
    assert subprocess.run(search, capture_output=True, text=True, check=True).stdout == "dataset:a\n"
    update = [sys.executable, "-m", "ck_repo", "update", "dataset:b", "--tags=edited"]
    subprocess.run(update, capture_output=True, check=True)
    assert tagged("edited") == ["a", "b"]


def test_missing_and_edited_metas_are_detected_among_many(
    datasets: Path, tagged: Tagged, indexed: Indexed, by_hand: Callable[..., Path]
) -> None:
    for number in range(31):
        by_hand(datasets / f"n{number:02}", {"tags": [f"t{number}"]}, uid=f"{number:016x}")
    indexed()
    (datasets / "n07" / ".cm" / "meta.json").unlink()
    names = sorted(path.name for path in datasets.iterdir())
    assert index.change_times(str(datasets), names)[names.index("n07")] < 0
    _retag(datasets / "n30", "edited")
    assert (tagged("edited"), tagged("t30"), tagged("t7"), tagged("t29")) == (["n30"], [], [], ["n29"])


_SEARCHER = """
import sys
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find
sys.stdin.readline()
for _ in range(40):
    assert "b" in [entry.alias for entry in find(Repositories(), "dataset", tags="x")]
"""


def test_concurrent_refreshes_during_changes_are_correct(datasets: Path, tagged: Tagged, add: Add) -> None:
    command = [sys.executable, "-c", _SEARCHER]
    pipe = subprocess.PIPE
    searchers = [subprocess.Popen(command, stdin=pipe, stderr=pipe, text=True) for _ in range(3)]
    for process in searchers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for number in range(40):
        entry = add(f"n{number}", "x")
        if number % 2:
            writing.remove_entry(entry)
        else:
            writing.update_entry(entry, {"tags": ["x", "kept"]})
    outputs = [process.communicate()[1] for process in searchers]
    assert [process.returncode for process in searchers] == [0, 0, 0], outputs
    assert tagged("kept") == sorted(f"n{number}" for number in range(0, 40, 2))


def test_times_in_year_2400_are_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    later = 13_569_465_600 * 10**9  # more than 63 bits
    real = os.stat

    class Later:
        def __init__(self, found: os.stat_result) -> None:
            self.st_ctime_ns, self.st_ino = later, found.st_ino

    monkeypatch.setattr(os, "stat", lambda *words, **more: Later(real(*words, **more)))
    monkeypatch.setattr(time, "time_ns", lambda: later + 10**10)
    try:
        times = index.change_times(str(repos_root() / "local" / "dataset"), ["a"])
    finally:
        monkeypatch.undo()
    assert times[0] > 0


def test_index_may_be_closed_by_another_thread(datasets: Path) -> None:
    with ThreadPoolExecutor() as thread:
        thread.submit(index.ModuleIndex(datasets).close).result()

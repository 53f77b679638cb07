"""An entry's names, folder, files and tags; copying, renaming and packing by short names."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`
UID = "0123456789abcdef"


@pytest.fixture
def a(ck: Ck, ck_home: Path) -> Path:
    """The folder of an entry with a file."""
    ck("add", "dataset:a", f"--data_uid={UID}", "--tags=x,y")
    folder = ck_home / "CK" / "local" / "dataset" / "a"
    (folder / "file.txt").write_text("text")
    return folder


def test_new_uid(ck: Ck) -> None:
    first, second = ck("uid").out.strip(), ck("uid", "--out=json").json["data_uid"]
    assert len(first) == len(second) == 16
    assert first != second


def test_uid_of_entry(ck: Ck, a: Path) -> None:
    assert ck("uid", "dataset:a").out == f"{UID}\n"


def test_cid_of_entry_and_of_current_folder(ck: Ck, a: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ck("cid", "dataset:a")
    monkeypatch.chdir(a)
    assert named.out == ck("cid").out
    module, _, uid = named.out.strip().partition(":")
    assert (len(module), uid) == (16, UID)
    assert ck("cid", "--out=json").json["xcuoa"] == "local:dataset:a"
    assert ck("load", named.out.strip(), "--out=json").json["data_uoa"] == "a"


def test_cid_of_folder_outside_entries(ck: Ck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ck("cid")
    assert done.code == 16
    assert "is not inside an entry" in done.err


def test_cd_list_files_and_list_tags(ck: Ck, a: Path) -> None:
    assert ck("cd", "dataset:a").out == f"{a}\n"
    assert ck("list_files", "dataset:a").out == "file.txt\n"
    ck("add", "dataset:b", "--tags=y,z")
    assert ck("list_tags", "dataset").out.split() == ["x", "y", "z"]
    assert ck("list_tags", "dataset", "--tags=x").out.split() == ["x", "y"]


@pytest.mark.parametrize("to", ["b", ":b", "dataset:b", "local:dataset:b", "local::b"])
@pytest.mark.parametrize(("verb", "stays"), [("cp", True), ("mv", False), ("ren", False)])
def test_entry_is_renamed(ck: Ck, a: Path, verb: str, stays: bool, to: str) -> None:
    assert ck(verb, "dataset:a", to).code == 0
    assert (a.with_name("b") / "file.txt").read_text() == "text"
    assert a.exists() is stays


def test_copy_to_another_repository_or_module(ck: Ck, a: Path) -> None:
    ck("add", "repo:other")
    assert ck("cp", "dataset:a", "other:dataset:b", "--out=json").json["repo_uoa"] == "other"
    assert ck("cp", "dataset:a", "other::", "--out=json").json["data_uoa"] == "a"
    assert ck("cp", "dataset:a", "datafile:c", "--out=json").json["module_uoa"] == "datafile"


def test_several_entries_in_one_archive(ck: Ck, a: Path, tmp_path: Path) -> None:
    ck("add", "dataset:b")
    ck("add", "datafile:c")
    done = ck("zip", "dataset:a", "b", ":b", "datafile:c", f"--archive_name={tmp_path / 'x.zip'}", "--out=json")
    assert [row["data_uoa"] for row in done.json["lst"]] == ["a", "b", "c"]
    names = zipfile.ZipFile(tmp_path / "x.zip").namelist()
    assert {"dataset/a/file.txt", "dataset/b/.cm/meta.json", "datafile/c/.cm/meta.json"} <= set(names)
    assert ck("zip", "dataset:a", "nonesuch", f"--archive_name={tmp_path / 'y.zip'}").code == 16


def test_experiments_are_packed_together_or_alone(ck: Ck, a: Path, tmp_path: Path) -> None:
    ck("add", "experiment:e")
    done = ck("zip", "experiment:e", "dataset:a", f"--archive_name={tmp_path / 'x.zip'}")
    assert done.code == 2
    assert "dataset:a is not an experiment" in done.err

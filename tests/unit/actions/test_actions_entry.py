"""Add, find, change, copy, pack and remove entries."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`
UID = "0123456789abcdef"


@pytest.fixture
def local(ck_home: Path) -> Path:
    """The folder of `local`."""
    return ck_home / "CK" / "local"


@pytest.fixture
def three(ck: Ck) -> None:
    """Three data sets in two repositories."""
    ck("add", "repo:other")
    ck("add", "dataset:coco-val", "--tags=coco,val")
    ck("add", "dataset:coco-train", "--tags=coco,train")
    ck("add", "other:dataset:shapes", "--tags=shapes,val")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_add_prints_name_uid_and_folder(ck: Ck, local: Path) -> None:
    done = ck("add", "dataset:mine", "--tags=coco,mine", "--dict.source=lab", "--dict.size.w=3")
    assert done.code == 0
    assert done.out.startswith("added dataset:mine (")
    assert str(local / "dataset" / "mine") in done.out
    meta = json.loads((local / "dataset" / "mine" / ".cm" / "meta.json").read_text())
    assert meta == {"tags": ["coco", "mine"], "source": "lab", "size": {"w": "3"}}


def test_add_accepts_json_object_and_uid(ck: Ck) -> None:
    row = ck("add", "dataset:a", '@@@{"dict": {"n": [1, 2]}}', f"--data_uid={UID}", "--data_name=A name", "--out=json").json
    assert row["data_uid"] == UID
    assert ck("load", f"dataset:{UID}", "--out=json").json["dict"] == {"n": [1, 2]}
    assert ck("info", "dataset:a", "--out=json").json["info"]["data_name"] == "A name"


@pytest.mark.parametrize("words", [["other:dataset:a"], ["dataset:a", "--repo_uoa=other"], ["dataset:a", "--repo=other"]])
def test_add_to_another_repository(ck: Ck, words: list[str], ck_home: Path) -> None:
    ck("add", "repo:other")
    assert ck("add", *words, "--out=json").json["path"] == str(ck_home / "CK" / "other" / "dataset" / "a")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset:../x"], "is not a valid name"),
        (["dataset:a/b"], "is not a valid name"),
        (["dataset:.."], "is not a valid name"),
        (["../dataset:a"], "is not a valid name"),
        (["dataset:a*"], "is not a valid name"),
        (["dataset:a", "--data_uid=123"], "--data_uid=123 is not 16 hexadecimal digits"),
        (["dataset:a", "--dict=[1]"], "--dict has to be an object"),
        (["dataset:a", "dataset:b"], "does not expect 'dataset:b'"),
    ],
)
def test_add_rejects_invalid_arguments(ck: Ck, words: list[str], message: str, local: Path) -> None:
    done = ck("add", *words)
    assert done.code == 2
    assert message in done.err
    assert list(local.rglob("meta.json")) == []


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["dataset"], ["coco-train", "coco-val", "shapes"]),
        (["dataset:*"], ["coco-train", "coco-val", "shapes"]),
        (["dataset:coco-*"], ["coco-train", "coco-val"]),
        (["dataset:shape?"], ["shapes"]),
        (["other:dataset:"], ["shapes"]),
        (["dataset", "--repo_uoa=local"], ["coco-train", "coco-val"]),
        (["dataset", "--tags=val,-shapes"], ["coco-val"]),
        (["dataset:nonesuch*"], []),
    ],
)
def test_ls(ck: Ck, three: None, words: list[str], names: list[str]) -> None:
    done = ck("ls", *words)
    assert (done.code, done.out.split()) == (0, names)
    assert [row["data_uoa"] for row in ck("ls", *words, "--out=json").json["lst"]] == names


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--tags=val"], ["dataset:coco-val", "other:dataset:shapes"]),
        (["--tags=val,-coco"], ["other:dataset:shapes"]),
        (["dataset", "--tags=coco"], ["dataset:coco-train", "dataset:coco-val"]),
        (["dataset", "--search_string=trai"], ["dataset:coco-train"]),
        (["dataset", "--tags=nonesuch"], []),
        (["--tags=val", "--repo_uoa=other"], ["other:dataset:shapes"]),
    ],
)
def test_search(ck: Ck, three: None, words: list[str], names: list[str]) -> None:
    assert [name for name in ck("search", *words).out.split() if "dataset:" in name] == names


@pytest.mark.parametrize("verb", ["find", "where", "locate"])
def test_find_prints_folder(ck: Ck, three: None, verb: str, local: Path) -> None:
    assert ck(verb, "dataset:coco-val").out == f"{local / 'dataset' / 'coco-val'}\n"


def test_find_with_unknown_tag_suggests_nearest(ck: Ck, three: None) -> None:
    done = ck("find", "dataset", "--tags=cocoo")
    assert done.code == 16
    assert "no dataset has the tag 'cocoo'\ndid you mean coco?" in done.err


@pytest.mark.parametrize("verb", ["load", "cat"])
def test_load_prints_meta_json(ck: Ck, three: None, verb: str) -> None:
    assert json.loads(ck(verb, "dataset:shapes").out) == {"tags": ["shapes", "val"]}
    assert ck(verb, "dataset:shapes", "--out=json").json["dict"] == {"tags": ["shapes", "val"]}


def test_load_reports_file_and_line_of_corrupt_meta(ck: Ck, three: None, local: Path) -> None:
    meta = local / "dataset" / "coco-val" / ".cm" / "meta.json"
    meta.write_text('{\n  "tags": ["a",]\n}')
    done = ck("load", "dataset:coco-val")
    assert done.code == 3
    assert f"{meta} is not JSON" in done.err
    assert "at line 2" in done.err


def test_load_requires_one_name(ck: Ck) -> None:
    done = ck("load", "program")
    assert done.code == 2
    assert "`ck load program` needs the name of one entry\n`ck ls program` lists them" in done.err


def test_module_by_uid(ck: Ck, three: None, local: Path) -> None:
    assert ck("ls", "5e1100048ab875d7:model.onnx").out == ck("ls", "soft:model.onnx").out
    uid = (local / ".cm" / "alias-a-dataset").read_text().strip()
    assert ck("ls", f"{uid}:shapes").out == "shapes\n"


def test_info_prints_names_and_tags(ck: Ck, three: None) -> None:
    done = ck("info", "dataset:shapes")
    assert {"repo_uoa: other", "module_uoa: dataset", "data_uoa: shapes"} <= set(done.out.splitlines())
    assert done.out.endswith("tags: shapes,val\n")


def test_update_merges_or_replaces(ck: Ck, three: None) -> None:
    ck("update", "dataset:shapes", "--dict.a.b=1")
    ck("update", "dataset:shapes", "--dict.a.c=2", "--tags=new")
    assert ck("load", "dataset:shapes", "--out=json").json["dict"] == {
        "tags": ["shapes", "val", "new"],
        "a": {"b": "1", "c": "2"},
    }
    assert ck("search", "dataset", "--tags=new").out == "other:dataset:shapes\n"
    ck("update", "dataset:shapes", '@@@{"dict": {"only": 1}}', "--substitute")
    assert ck("load", "dataset:shapes", "--out=json").json["dict"] == {"only": 1}
    assert "nothing to change\ngive --tags= or --dict.KEY=value" in ck("update", "dataset:shapes").err


def test_cp_mv_and_ren(ck: Ck, three: None) -> None:
    uid = ck("info", "dataset:coco-val", "--out=json").json["data_uid"]
    copy = ck("cp", "dataset:coco-val", "other:dataset:copy", "--out=json").json
    assert (copy["repo_uoa"], copy["data_uoa"]) == ("other", "copy")
    assert copy["data_uid"] != uid
    moved = ck("mv", "dataset:coco-val", "other:dataset:moved", "--out=json").json
    assert (moved["repo_uoa"], moved["data_uoa"], moved["data_uid"]) == ("other", "moved", uid)
    assert ck("ren", "dataset:moved", "dataset:renamed").out == f"renamed dataset:moved to dataset:renamed ({uid})\n"
    assert ck("ren", "dataset:renamed", "again").code == 0
    assert ck("find", f"dataset:{uid}", "--out=json").json["data_uoa"] == "again"
    assert ck("ls", "dataset").out.split() == ["coco-train", "again", "copy", "shapes"]


@pytest.mark.parametrize("verb", ["cp", "mv", "ren"])
def test_existing_name_is_not_overwritten(ck: Ck, three: None, verb: str) -> None:
    done = ck(verb, "dataset:coco-val", "dataset:coco-train")
    assert done.code == 4
    assert "dataset:coco-train already exists" in done.err
    assert ck("info", "dataset:coco-train", "--out=json").json["tags"] == ["coco", "train"]


@pytest.mark.parametrize("verb", ["cp", "mv", "ren"])
@pytest.mark.parametrize("more", [[], ["dataset:a", "dataset:b"]])
def test_two_entries_are_required(ck: Ck, three: None, verb: str, more: list[str]) -> None:
    done = ck(verb, "dataset:coco-val", *more)
    assert done.code == 2
    assert f"`ck {verb}` needs two entries" in done.err


@pytest.mark.parametrize("name", ["named", ""])
def test_entry_is_found_by_new_uid(ck: Ck, name: str) -> None:
    old = ck("add", f"dataset:{name}", "--tags=x", "--out=json").json
    new = ck("ren", f"dataset:{old['data_uoa']}", "--new_uid", "--out=json").json
    assert new["data_uid"] != old["data_uid"]
    assert ck("find", f"dataset:{new['data_uid']}").out == new["path"] + "\n"
    assert ck("info", f"dataset:{new['data_uid']}", "--out=json").json["data_uid"] == new["data_uid"]
    assert ck("find", f"dataset:{old['data_uid']}").code == 16


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["dataset:coco-val"], ["coco-train", "shapes"]),
        (["dataset:coco-*"], ["shapes"]),
        (["dataset:*"], []),
        (["dataset", "--tags=val"], ["coco-train"]),
        (["other:dataset:*"], ["coco-train", "coco-val"]),
    ],
)
def test_rm(ck: Ck, three: None, words: list[str], left: list[str]) -> None:
    assert ck("rm", *words, "--force").code == 0
    assert ck("ls", "dataset").out.split() == left


@pytest.mark.parametrize(
    ("words", "codes", "message"),
    [
        (["dataset"], {2}, "no dataset was given"),
        (["dataset:coco"], {16}, "there is no dataset:coco"),
        (["dataset:x*"], {16}, "no dataset matches x*"),
        (["dataset:../dataset/coco-val"], {2, 16}, "../dataset/coco-val"),
    ],
)
def test_rm_without_match_removes_nothing(ck: Ck, three: None, words: list[str], codes: set[int], message: str) -> None:
    done = ck("rm", *words)
    assert message in done.err
    assert done.code in codes
    assert ck("ls", "dataset").out.split() == ["coco-train", "coco-val", "shapes"]


@pytest.mark.parametrize(
    ("typed", "options", "left"),
    [("n\n", [], 3), ("\n", [], 3), ("", [], 3), ("y\n", [], 0), ("n\n", ["--quiet"], 0), ("n\n", ["--force"], 0)],
)
def test_rm_asks_on_terminal(
    ck: Ck, three: None, typed: str, options: list[str], left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(typed))
    done = ck("rm", "dataset:*", *options)
    assert ("remove 3 of dataset: coco-train, coco-val, shapes? [y/N]" in done.err) == (not options)
    assert len(ck("ls", "dataset").out.split()) == left


@pytest.mark.parametrize("words", [["dataset:*"], ["dataset", "--tags=val"], ["dataset:*", "--out=json"]])
def test_rm_of_pattern_without_terminal_needs_force(ck: Ck, three: None, words: list[str]) -> None:
    done = ck("rm", *words)
    assert done.code == 2
    assert "--force removes without confirmation" in done.err + done.out
    assert len(ck("ls", "dataset").out.split()) == 3
    assert ck("rm", "dataset:coco-val").code == 0  # named: it can be restored


def test_zip_and_unzip(ck: Ck, three: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uid = ck("info", "dataset:coco-val", "--out=json").json["data_uid"]
    assert ck("zip", "local:dataset:*", "--archive_name=new/results.zip").out.startswith("packed 2 entries, ")
    done = ck("unzip", "dataset", "--zip=new/results.zip")
    assert done.code == 4
    assert "nothing was unpacked; --overwrite replaces them" in done.err
    ck("rm", "local:dataset:*", "--force")
    done = ck("unzip", "dataset", "--zip=new/results.zip")
    assert [line.split(" to ")[0] for line in done.out.splitlines()] == [
        "unpacked dataset:coco-train",
        "unpacked dataset:coco-val",
    ]
    assert ck("find", f"dataset:{uid}", "--out=json").json["data_uoa"] == "coco-val"
    assert ck("ls", "dataset").out.split() == ["coco-train", "coco-val", "shapes"]


def test_zip_without_name_writes_to_current_folder(
    ck: Ck, three: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ck("zip", "dataset:shapes", "--out=json").json["path"] == str(tmp_path / "ck-dataset-shapes.zip")
    done = ck("zip", "dataset:shapes")
    assert done.code == 4
    assert "already exists\nchoose another name with --archive_name=, or use --overwrite" in done.err
    assert ck("zip", "dataset:shapes", "--overwrite").code == 0


def test_unzip_of_malicious_archive_extracts_nothing(ck: Ck, tmp_path: Path, local: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr("experiment/good/.cm/meta.json", "{}")
        file.writestr("../../../out", "x")
    done = ck("unzip", "experiment", f"--zip={tmp_path / 'bad.zip'}", "--out=json")
    assert done.json["return"] == done.code == 5
    assert "'../../../out' would be written outside the folder" in done.json["error"]
    assert list(local.rglob("good")) == []


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--zip=nowhere.zip"], 16)])
def test_unzip_requires_a_file(ck: Ck, words: list[str], code: int) -> None:
    assert ck("unzip", "experiment", *words).code == code


def test_unzip_creates_missing_module(ck: Ck, three: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ck("zip", "dataset:shapes", f"--archive_name={tmp_path / 'a.zip'}")
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "another machine"))
    assert ck("unzip", "dataset", f"--zip={tmp_path / 'a.zip'}").code == 0
    assert ck("ls", "dataset").out == "shapes\n"

"""Commands for repositories."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`


@pytest.fixture
def root(ck_home: Path) -> Path:
    """CK_REPOS."""
    return ck_home / "CK"


def test_add_creates_repository_in_ck_format(ck: Ck, root: Path) -> None:
    done = ck("add", "repo:my-experiments", "--quiet")
    assert done.out == f"added repository my-experiments in {root / 'my-experiments'}\n"
    content = json.loads((root / "my-experiments" / ".ckr.json").read_text())
    assert content["data_alias"] == content["data_uoa"] == content["data_name"] == "my-experiments"
    assert content["dict"]["repo_deps"] == []


@pytest.mark.parametrize("verb", ["where", "find", "locate"])
def test_where_prints_folder(ck: Ck, root: Path, verb: str) -> None:
    ck("add", "repo:mine")
    assert ck(verb, "repo:mine").out == f"{root / 'mine'}\n"


def test_where_without_match(ck: Ck) -> None:
    done = ck("where", "repo:nonesuch*")
    assert done.code in (0, 16)
    assert "bug in ck" not in done.err


def test_ls_lists_repositories_in_search_order(ck: Ck) -> None:
    ck("add", "repo:mine")
    assert [row["data_uoa"] for row in ck("ls", "repo", "--out=json").json["lst"]] == [
        "local",
        "mlperf-object-detection",
        "mine",
    ]
    assert ck("ls", "repo:m?ne").out.splitlines()[2].startswith("mine  ")


def test_repository_by_uid(ck: Ck) -> None:
    row = ck("add", "repo:mine", "--out=json").json
    assert ck("where", f"repo:{row['data_uid']}").out == row["path"] + "\n"
    ck("add", "dataset:a", f"--repo_uoa={row['data_uid']}")
    assert ck("info", "dataset:a", "--out=json").json["repo_uoa"] == "mine"


def test_add_with_path_creates_or_registers(ck: Ck, tmp_path: Path) -> None:
    made = ck("add", "repo:mine", f"--path={tmp_path / 'far'}", "--out=json").json
    ck("add", "mine:picture:a", "--tags=x")
    ck("rm", "repo:mine")
    assert ck("search", "picture", "--tags=x").code == 16  # no repository has this module any longer
    again = ck("add", "repo", f"--path={tmp_path / 'far'}", "--out=json").json
    assert (again["data_uoa"], again["data_uid"]) == ("mine", made["data_uid"])
    assert ck("search", "picture", "--tags=x").out == "mine:picture:a\n"


def test_rm_deletes_only_folders_in_ck_repos(ck: Ck, root: Path, tmp_path: Path) -> None:
    ck("add", "repo:inside")
    ck("add", "repo:far", f"--path={tmp_path / 'far'}")
    assert ck("rm", "repo:inside").out == f"inside: removed with {root / 'inside'}\n"
    assert ck("rm", "repo:far").out == f"far: registration removed; its files stay in {tmp_path / 'far'}\n"
    assert not (root / "inside").exists()
    assert (tmp_path / "far" / ".ckr.json").is_file()


@pytest.mark.parametrize(
    ("name", "code"), [("local", 2), ("mlperf-object-detection", 2), ("*", 2), ("", 2), ("nonesuch", 16), ("..", 16)]
)
def test_rm_refuses_protected_repositories(ck: Ck, name: str, code: int) -> None:
    assert ck("rm", f"repo:{name}").code == code
    assert ck("where", "repo:mlperf-object-detection").code == 0


def test_registration_of_missing_folder_can_be_removed(ck: Ck, tmp_path: Path) -> None:
    ck("add", "repo:far", f"--path={tmp_path / 'far'}")
    shutil.rmtree(tmp_path / "far")
    assert "`ck rm repo:far` removes it" in ck("ls", "repo").err
    assert ck("rm", "repo:far").code == 0
    assert ck("ls", "repo").err == ""


def test_zip_and_unzip(ck: Ck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    row = ck("add", "repo:mine", "--out=json").json
    entry = ck("add", "mine:dataset:a", "--tags=x", "--out=json").json
    assert ck("zip", "repo:mine").out.endswith(f"{tmp_path / 'ck-repo-mine.zip'}\n")
    assert ck("unzip", "repo", "--zip=ck-repo-mine.zip").code == 4
    ck("rm", "repo:mine")
    assert ck("unzip", "repo", "--zip=ck-repo-mine.zip", "--out=json").json["data_uid"] == row["data_uid"]
    assert ck("find", f"dataset:{entry['data_uid']}", "--out=json").json["repo_uoa"] == "mine"


def test_unzip_under_another_name(ck: Ck, tmp_path: Path) -> None:
    ck("add", "repo:mine")
    ck("zip", "repo:mine", f"--archive_name={tmp_path / 'a.zip'}")
    assert ck("unzip", "repo:theirs", f"--zip={tmp_path / 'a.zip'}").code == 0
    assert ck("where", "repo:theirs").code == 0


def test_pull_names_missing_argument(ck: Ck) -> None:
    done = ck("pull", "repo")
    assert done.code == 2
    assert "`ck pull repo:NAME`, `ck pull repo --url=URL` or `ck pull all`" in done.err

"""Which repositories there are, where they lie, and what is said of one that cannot be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import ConflictError, NotFoundError, UsageError
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import check_name, read_repository

UID = "0123456789abcdef"


def _describe(folder: Path, **content: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".ckr.json").write_text(json.dumps({"data_uid": UID, **content}))
    return folder


def _aliases() -> list[str]:
    return [row.alias for row in Repositories().all()]


def test_local_and_our_own_components_are_always_there() -> None:
    assert _aliases() == ["local", "mlperf-object-detection"]
    with pytest.raises(NotFoundError, match="did you mean local"):
        Repositories().get("loca")


def test_local_is_made_in_ck_s_format_when_it_is_written_to() -> None:
    row = Repositories().writable()
    content = json.loads((row.path / ".ckr.json").read_text())
    assert content["data_alias"] == content["data_uoa"] == "local"
    assert content["data_uid"] == "9a3280b14a4285c9"  # the UID of `local` in every CK


def test_a_repository_as_stock_ck_writes_it_is_read() -> None:
    details = {"url": "https://example.org/x.git", "shared": "git", "repo_deps": [{"repo_uoa": "need"}, {"repo_url": "u"}, {}]}
    row = read_repository(_describe(repos_root() / "x", data_alias="y", data_name="x", data_uoa="x", dict=details))
    assert (row.alias, row.url, row.dependencies) == (
        "x",
        "https://example.org/x.git",
        (("need", ""), ("", "u")),
    )  # the folder names it


def test_a_name_that_is_taken_is_refused() -> None:
    Repositories().add("mine")
    (repos_root() / "folder").mkdir()
    for name in ("mine", "local", "folder"):
        with pytest.raises(ConflictError, match="exists"):
            Repositories().add(name)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"data_uid": "short"}',
        '{"data_uid": "0123456789abcdef", "dict": 5}',
        '{"data_uid": "0123456789abcdef", "dict": {"repo_deps": ["name"]}}',
        '{"data_uid": "0123456789abcdef", "dict": {"repo_deps": {"name": "url"}}}',
        '{"data_uid": "0123456789abcdef", "dict": {"repo_deps": 5}}',
    ],
)
def test_a_repository_that_cannot_be_read_is_left_out_with_a_word(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (repos_root() / "bad").mkdir(parents=True)
    (repos_root() / "bad" / ".ckr.json").write_text(content)
    Repositories().add("good")
    assert _aliases() == ["local", "mlperf-object-detection", "good"]
    assert str(repos_root() / "bad" / ".ckr.json") in capsys.readouterr().err


def test_a_spoilt_registration_is_left_out_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Repositories().add("mine", tmp_path / "far")
    meta = repos_root() / "local" / "repo" / "mine" / ".cm" / "meta.json"
    meta.write_text("{")
    assert "mine" not in _aliases()
    assert str(meta) in capsys.readouterr().err


def test_two_repositories_of_one_uid_are_both_named(capsys: pytest.CaptureFixture[str]) -> None:
    row = Repositories().add("mine")
    shutil.copytree(row.path, repos_root() / "yours")
    Repositories().all()
    told = capsys.readouterr().err
    assert str(repos_root() / "mine") in told
    assert str(repos_root() / "yours") in told


def test_a_pulled_copy_of_our_own_components_takes_their_place(no_checkout: None) -> None:
    assert _aliases() == ["local", "ours"]


def test_a_module_that_holds_only_entries_without_alias_is_one(by_hand: Callable[..., Path]) -> None:
    # its .cm is an empty folder, which git does not keep: this is what a clone looks like
    by_hand(_describe(repos_root() / "x") / "experiment" / ("1" * 16), {"tags": ["x"]})
    assert read_repository(repos_root() / "x").modules() == ["experiment"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\\b", "a:b", "a*", "-a", ".a", "a\nb", 'a"b', "a|b"])
def test_a_name_that_is_no_folder_s_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "a.b", "SSD-MobileNet_v1.0", "ä", "a b", "1"])
def test_other_names_are_taken(name: str, add: Callable[..., Entry]) -> None:
    check_name(name)
    assert add(name).path.is_dir()

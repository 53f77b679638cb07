"""Which repositories there are, where they lie, and what is said of one that cannot be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import ConfigError, ConflictError, NotFoundError, UsageError
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories, check_name, read_repository
from ck_repo.store.search import find

UID = "0123456789abcdef"


def _describe(folder: Path, **content: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".ckr.json").write_text(json.dumps({"data_uid": UID, **content}))
    return folder


def _aliases() -> list[str]:
    return [row.alias for row in Repositories().all()]


def test_local_and_our_own_components_are_always_there() -> None:
    assert _aliases() == ["local", "mlperf-object-detection"]


def test_local_is_made_in_ck_s_format_when_it_is_written_to() -> None:
    row = Repositories().writable()
    content = json.loads((row.path / ".ckr.json").read_text())
    assert content["data_alias"] == content["data_uoa"] == "local"
    assert content["data_uid"] == "9a3280b14a4285c9"  # the UID of `local` in every CK


def test_a_new_repository_is_found_by_alias_and_uid() -> None:
    row = Repositories().add("mine")
    assert row.path == repos_root() / "mine"
    assert Repositories().get("mine") == Repositories().get(row.uid) == row
    assert _aliases() == ["local", "mine", "mlperf-object-detection"]


def test_a_repository_as_stock_ck_writes_it_is_read() -> None:
    details = {"url": "https://example.org/x.git", "shared": "git", "repo_deps": [{"repo_uoa": "need"}, {"repo_url": "u"}, {}]}
    row = read_repository(_describe(repos_root() / "x", data_alias="x", data_name="x", data_uoa="x", dict=details))
    assert (row.alias, row.url, row.dependencies) == ("x", "https://example.org/x.git", (("need", ""), ("", "u")))


def test_in_ck_repos_the_folder_s_name_is_the_alias() -> None:
    _describe(repos_root() / "folder", data_alias="inside")
    assert "folder" in _aliases()


def test_an_unknown_repository_names_the_nearest() -> None:
    Repositories().add("my-experiments")
    with pytest.raises(NotFoundError, match="did you mean my-experiments"):
        Repositories().get("my-experiment")


def test_a_name_that_is_taken_is_refused() -> None:
    Repositories().add("mine")
    (repos_root() / "folder").mkdir()
    for name in ("mine", "local", "folder"):
        with pytest.raises(ConflictError, match="exists"):
            Repositories().add(name)


def test_a_folder_elsewhere_becomes_a_repository(tmp_path: Path) -> None:
    row = Repositories().add("mine", tmp_path / "far" / "away")
    assert row.path == tmp_path / "far" / "away"
    assert Repositories().get("mine").path == row.path


def test_a_repository_elsewhere_is_registered_as_it_is(tmp_path: Path, by_hand: Callable[..., Path]) -> None:
    by_hand(_describe(tmp_path / "far", data_alias="theirs") / "dataset" / "a", {"tags": ["x"]}, uid="1" * 16)
    Repositories().add("any", tmp_path / "far")
    assert [entry.repository for entry in find(Repositories(), "dataset", "a")] == ["theirs"]


def test_removing_takes_the_folder_in_ck_repos_only(tmp_path: Path) -> None:
    repositories = Repositories()
    inside, elsewhere = repositories.add("inside"), repositories.add("elsewhere", tmp_path / "far")
    for row in (inside, elsewhere):
        repositories.remove(row)
    assert not inside.path.exists()
    assert (elsewhere.path / ".ckr.json").is_file()
    assert _aliases() == ["local", "mlperf-object-detection"]


@pytest.mark.parametrize("name", ["local", "mlperf-object-detection"])
def test_local_and_our_own_cannot_be_removed(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be removed"):
        Repositories().remove(Repositories().get(name))


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
    assert _aliases() == ["local", "good", "mlperf-object-detection"]
    assert str(repos_root() / "bad" / ".ckr.json") in capsys.readouterr().err


def test_a_registered_folder_that_is_gone_is_left_out_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Repositories().add("mine", tmp_path / "far")
    shutil.rmtree(tmp_path / "far")
    assert "mine" not in _aliases()
    assert f"{tmp_path / 'far'} is registered, but not there" in capsys.readouterr().err


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


def test_a_description_without_a_uid_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / ".ckr.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"\.ckr\.json: data_uid is ''"):
        read_repository(tmp_path)

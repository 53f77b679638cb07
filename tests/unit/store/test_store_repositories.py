"""Which repositories exist, where they are, and what is reported of unreadable ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import ConflictError, NotFoundError, UsageError
from ck_repo.store import writing
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.modules import module_uid
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import check_name, read_repository
from ck_repo.store.search import find, load

UID = "0123456789abcdef"


def _describe(folder: Path, **content: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".ckr.json").write_text(json.dumps({"data_uid": UID, **content}))
    return folder


def _aliases() -> list[str]:
    return [row.alias for row in Repositories().all()]


def test_local_and_our_components_always_exist() -> None:
    assert _aliases() == ["local", "mlperf-object-detection"]
    with pytest.raises(NotFoundError, match="did you mean local"):
        Repositories().get("loca")


def test_local_is_created_in_ck_format_on_first_write() -> None:
    row = Repositories().writable()
    content = json.loads((row.path / ".ckr.json").read_text())
    assert content["data_alias"] == content["data_uoa"] == "local"
    assert content["data_uid"] == "9a3280b14a4285c9"  # the UID of `local` in every CK


def test_stock_repository_is_read() -> None:
    details = {"url": "https://example.org/x.git", "shared": "git", "repo_deps": [{"repo_uoa": "need"}, {"repo_url": "u"}, {}]}
    row = read_repository(_describe(repos_root() / "x", data_alias="y", data_name="x", data_uoa="x", dict=details))
    assert (row.alias, row.url, row.dependencies) == (
        "x",
        "https://example.org/x.git",
        (("need", ""), ("", "u")),
    )  # named by the folder


def test_existing_name_is_rejected() -> None:
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
def test_unreadable_repository_is_skipped_with_warning(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    (repos_root() / "bad").mkdir(parents=True)
    (repos_root() / "bad" / ".ckr.json").write_text(content)
    Repositories().add("good")
    assert _aliases() == ["local", "mlperf-object-detection", "good"]
    assert str(repos_root() / "bad" / ".ckr.json") in capsys.readouterr().err


def test_corrupt_registration_is_skipped_with_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Repositories().add("mine", tmp_path / "far")
    meta = repos_root() / "local" / "repo" / "mine" / ".cm" / "meta.json"
    meta.write_text("{")
    assert "mine" not in _aliases()
    assert str(meta) in capsys.readouterr().err


def test_two_repositories_with_one_uid_both_work(capsys: pytest.CaptureFixture[str], by_hand: Callable[..., Path]) -> None:
    row = Repositories().add("mine")
    by_hand(row.path / "dataset" / "a", {}, uid="1" * 16)
    shutil.copytree(row.path, repos_root() / "yours")
    repositories = Repositories()
    assert capsys.readouterr().err == ""
    for alias in ("mine", "yours"):
        assert load(repositories, "dataset", "1" * 16, alias).path == repos_root() / alias / "dataset" / "a"
    with pytest.raises(ConflictError, match=f"{row.uid} matches 2 repositories\nuse one of mine, yours"):
        repositories.get(row.uid)


def test_registered_repositories_with_one_uid_both_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        Repositories().add("", _describe(tmp_path / name, data_alias=name))
    assert _aliases()[2:] == ["one", "two"]
    assert capsys.readouterr().err == ""
    Repositories().remove("one")
    assert _aliases()[2:] == ["two"]


OURS, OUR_UID = "mlperf-object-detection", "4b0c8a3d5e6f7a91"
LOCAL_UID = "9a3280b14a4285c9"


def test_copy_of_our_components_changes_nothing(no_checkout: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert _aliases() == ["local", OURS]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("uid", [OUR_UID, LOCAL_UID])
def test_foreign_repository_with_reserved_uid_is_skipped_and_rejected(
    uid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _describe(repos_root() / "by-hand", data_uid=uid)
    assert _aliases() == ["local", OURS]
    assert f"{repos_root() / 'by-hand'} has the UID {uid}" in capsys.readouterr().err
    with pytest.raises(ConflictError, match=uid):
        Repositories().add("", _describe(tmp_path / "x", data_uid=uid))
    assert not (repos_root() / "local" / "repo").exists()


def test_copy_of_ours_is_not_added(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="comes with ck"):
        Repositories().add("mine", _describe(tmp_path / "x", data_uid=OUR_UID, data_alias=OURS))


def test_user_given_name_is_kept(tmp_path: Path) -> None:
    there = _describe(tmp_path / "x", data_alias="y")
    assert Repositories().add("foo", there).alias == "foo"
    assert _aliases()[2:] == ["foo"]
    assert {Repositories().get(name).path for name in ("foo", "y", "x", UID)} == {there}
    with pytest.raises(ConflictError, match="is already the repository foo"):
        Repositories().add("bar", there)


def test_given_name_overrides_folder_name(tmp_path: Path) -> None:
    there = _describe(tmp_path / "x", data_alias="y")
    Repositories().add("foo", there)
    _describe(repos_root() / "foo", data_alias="by-hand", data_uid="1" * 16)
    assert _aliases()[2:] == ["by-hand", "foo"]
    assert Repositories().get("foo").path == there


def test_owner_may_be_omitted_if_unambiguous() -> None:
    for number, name in enumerate(("team@tools", "team@data", "other@data")):
        _describe(repos_root() / name, data_alias=name, data_uid=str(number) * 16)
    assert Repositories().get("tools").alias == "team@tools"
    with pytest.raises(ConflictError, match="use one of other@data, team@data"):
        Repositories().get("data")


def test_alias_never_hides_a_repository(tmp_path: Path) -> None:
    Repositories().add("foo", _describe(tmp_path / "x", data_alias="local", data_uoa=OURS))
    assert Repositories().get("local").uid == LOCAL_UID
    assert Repositories().get(OURS).uid == OUR_UID


def test_stock_registrations_are_used_unchanged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inside = _describe(repos_root() / "folder", data_alias="described")
    local = Repositories().writable()
    writing.create_entry(local, "repo", "owner@name", {"path": str(inside), "shared": "git", "url": ""}, uid=UID)
    writing.create_entry(local, "repo", "server", {"remote": "yes", "url": "http://localhost:3344/ck?"})
    repositories = Repositories()
    assert [row.alias for row in repositories.all()][2:] == ["owner@name"]
    assert {repositories.get(name).path for name in ("owner@name", "name", "folder", "described")} == {inside}
    assert capsys.readouterr().err == ""
    assert repositories.remove("name") == f"removed with {inside}"
    assert _aliases()[2:] == []
    assert not inside.exists()


def test_moved_store_keeps_its_repositories(capsys: pytest.CaptureFixture[str]) -> None:
    _describe(repos_root() / "x")
    meta = {"path": "/home/somebody/CK/x"}
    writing.create_entry(Repositories().writable(), "repo", "mine", meta)
    assert _aliases()[2:] == ["mine"]
    assert capsys.readouterr().err == ""


def test_copied_store_uses_its_own_repositories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = repos_root()
    Repositories().add("mine")
    outside = Repositories().add("outside", tmp_path / "elsewhere" / "outside")
    writing.create_entry(  # as stock CK registers what it pulls
        Repositories().writable(), "repo", "pulled", {"path": str(_describe(first / "pulled"))}, uid=UID
    )
    shutil.copytree(first, tmp_path / "copy")
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "copy"))
    paths = {row.alias: row.path for row in Repositories().all()[2:]}
    assert paths == {"mine": tmp_path / "copy/mine", "pulled": tmp_path / "copy/pulled", "outside": outside.path}
    assert capsys.readouterr().err == ""
    Repositories().remove("pulled")
    assert (first / "pulled").is_dir()  # the copied store keeps its own


def test_clone_and_registered_folder_with_one_uid_are_two(tmp_path: Path) -> None:
    Repositories().add("work", _describe(tmp_path / "x"))
    _describe(repos_root() / "x")
    assert {row.path for row in Repositories().all()[2:]} == {tmp_path / "x", repos_root() / "x"}


@pytest.mark.parametrize("content", [{"data_alias": ["a"]}, {"data_uoa": {"a": 1}}, {"data_uid": 5}, {"dict": {"url": []}}])
def test_malformed_description_is_skipped_with_warning(content: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    _describe(repos_root() / "bad", **content)
    assert _aliases() == ["local", OURS]
    assert ".ckr.json" in capsys.readouterr().err


@pytest.mark.parametrize("path", [5, ["x"], None, ""])
def test_malformed_registration_is_skipped_with_warning(path: object, capsys: pytest.CaptureFixture[str]) -> None:
    writing.create_entry(Repositories().writable(), "repo", "mine", {"path": path})
    assert _aliases() == ["local", OURS]
    assert "ck rm repo:mine" in capsys.readouterr().err
    Repositories().remove("mine")
    capsys.readouterr()
    assert _aliases() == ["local", OURS]
    assert capsys.readouterr().err == ""


def test_module_of_entries_without_alias_is_a_module(by_hand: Callable[..., Path]) -> None:
    # its .cm is an empty folder, which git does not store: clones look like this
    by_hand(_describe(repos_root() / "x") / "experiment" / ("1" * 16), {"tags": ["x"]})
    assert read_repository(repos_root() / "x").modules() == ["experiment"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\\b", "a:b", "a*", "-a", ".a", "a\nb", 'a"b', "a|b"])
def test_invalid_folder_name_is_rejected(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name"):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "a.b", "SSD-MobileNet_v1.0", "ä", "a b", "1"])
def test_other_names_are_accepted(name: str, add: Callable[..., Entry]) -> None:
    check_name(name)
    assert add(name).path.is_dir()


@pytest.mark.parametrize("name", ["team@tools", "a b"])
def test_name_allowed_by_stock_ck_is_accepted(name: str) -> None:
    assert Repositories().add(name).alias == name
    assert load(Repositories(), "dataset", writing.create_entry(Repositories().writable(name), "dataset", "x", {}).uid, name)


@pytest.mark.parametrize("folder", ["venv.template", "env_templates"])
def test_module_under_two_names_has_entries_of_both(by_hand: Callable[..., Path], folder: str) -> None:
    there = _describe(repos_root() / "x")
    for name, uid in (("venv.template", "1"), ("env_templates", "2")):
        by_hand(there / name / f"of-{name}", {"tags": ["t"]}, uid=uid * 16)
    by_hand(there / "module" / "env_templates", {}, uid="3" * 16)
    found = find(Repositories(), "env_templates", repository="x")
    assert sorted(entry.alias for entry in found) == ["of-env_templates", "of-venv.template"]
    assert load(Repositories(), "env_templates", f"of-{folder}", "x").path == there / folder / f"of-{folder}"
    assert len(find(Repositories(), "env_templates", repository="x", tags="t")) == 2
    assert sorted(entry.module for entry in found) == ["env_templates", "venv.template"]
    assert find(Repositories(), "venv.template", repository="x", tags="t") != []


def test_entry_is_changed_in_the_folder_of_its_module(by_hand: Callable[..., Path]) -> None:
    there = _describe(repos_root() / "x")
    by_hand(there / "venv.template" / "a", {}, uid="1" * 16)
    repositories = Repositories()
    entry = load(repositories, "env_templates", "a")
    copy = writing.copy_entry(entry, repositories.get("x"), "env_templates", "b")
    new = writing.create_entry(repositories.get("x"), "env_templates", "c", {})
    moved = writing.move_entry(entry, repositories.get("x"), entry.module, "d")
    for row in (copy, new, moved):
        assert (row.cid, row.path.parent) == (f"venv.template:{row.alias}", there / "venv.template")
        assert (row.info()["backup_module_uoa"], row.module_uid) == ("venv.template", module_uid("env_templates"))
    writing.remove_entry(moved)
    assert sorted(row.alias for row in find(Repositories(), "venv.*", repository="x")) == ["b", "c"]


@pytest.mark.parametrize("damage", ["", "not a UID", "2" * 16, "\0", None])
def test_broken_alias_files_do_not_hide_entries(
    damage: str | None, by_hand: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    there = _describe(repos_root() / "x")
    by_hand(there / "dataset" / "a", {"tags": ["t"]}, uid="1" * 16)
    by_hand(there / "dataset" / "b", {"tags": ["t"]}, uid="2" * 16)
    (there / "dataset" / "a" / ".cm" / "info.json").write_text(json.dumps({"backup_data_uid": "1" * 16}))
    uid_file, alias_file = (there / "dataset" / ".cm" / f"alias-{name}" for name in ("u-" + "1" * 16, "a-a"))
    uid_file.write_text("b\n")  # the UID belongs to another entry, whose alias may point back
    if damage is None:
        alias_file.unlink()
        alias_file.mkdir()
    else:
        alias_file.write_text(damage)
    assert [entry.alias for entry in find(Repositories(), "dataset", tags="t")] == ["a", "b"]
    assert load(Repositories(), "dataset", "a").path.name == "a"
    assert load(Repositories(), "dataset", "b").path.name == "b"
    if damage != "2" * 16:
        assert load(Repositories(), "dataset", "1" * 16).path.name == "a"

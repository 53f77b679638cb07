"""Entries and repositories are packed into a zip file and unpacked again; a malicious one is rejected."""

from __future__ import annotations

import json
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ck_repo.errors import CKError, ConflictError, NotFoundError, UsageError
from ck_repo.machine.survey import survey
from ck_repo.resolve.plan import variant_of
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.archive import pack_entries, pack_repository, unpack_entries, unpack_repository
from ck_repo.store.entry import Entry
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load
from ck_repo.store.writing import remove_entry

UID = "0123456789abcdef"
Add = Callable[..., Entry]


@pytest.fixture
def crafted(tmp_path: Path) -> Callable[..., Path]:
    """A zip file of texts by name, not written by the store."""

    def run(texts: dict[str, str]) -> Path:
        path = tmp_path / "crafted.zip"
        with zipfile.ZipFile(path, "w") as file:
            for name, text in texts.items():
                file.writestr(name, text)
        return path

    return run


def _entry(name: str, uid: str = UID, module: str = "dataset") -> dict[str, str]:
    info = json.dumps({"backup_data_uid": uid})
    return {f"{module}/{name}/.cm/meta.json": '{"tags": ["new"]}', f"{module}/{name}/.cm/info.json": info}


def _unpack(archive: Path, *, overwrite: bool = False) -> list[Entry]:
    repositories = Repositories()
    return unpack_entries(archive, repositories, repositories.writable(), overwrite=overwrite)[0]


def _files(folder: Path) -> list[str]:
    ours = {".index", ".pending"}
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if ours.isdisjoint(path.parts))


def test_packed_entries_round_trip(add: Add, tmp_path: Path) -> None:
    entry = add("a", "x,y")
    (entry.path / "deep").mkdir()
    (entry.path / "deep" / "file").write_bytes(bytes(range(256)))
    (entry.path / "run.sh").write_text("echo")
    (entry.path / "run.sh").chmod(0o755)
    pack_entries([entry], tmp_path / "new" / "a.zip")
    remove_entry(entry)
    (back,) = _unpack(tmp_path / "new" / "a.zip")
    assert (back.uid, back.tags()) == (entry.uid, frozenset({"x", "y"}))
    assert (back.path / "deep" / "file").read_bytes() == bytes(range(256))
    assert os.access(back.path / "run.sh", os.X_OK)
    assert load(Repositories(), "dataset", entry.uid).alias == "a"


def test_zip_has_ck_layout(add: Add, tmp_path: Path) -> None:
    entry = add("a")
    pack_entries([entry], tmp_path / "a.zip")
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert {"dataset/a/.cm/meta.json", "dataset/.cm/alias-a-a", f"dataset/.cm/alias-u-{entry.uid}", ".cm/alias-a-dataset"} < {
        *names
    }


def test_file_from_1970_can_be_packed(add: Add, tmp_path: Path) -> None:
    entry = add("a")
    os.utime(entry.path / ".cm" / "meta.json", (0, 0))
    assert pack_entries([entry], tmp_path / "a.zip") > 0


def test_entries_of_same_name_do_not_hide_each_other(add: Add, tmp_path: Path) -> None:
    Repositories().add("other")
    entries = [add("a"), add("a", repository="other")]
    with pytest.raises(ConflictError, match="dataset:a"):
        pack_entries(entries, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_existing_entry_is_kept_by_default(add: Add, crafted: Callable[..., Path]) -> None:
    add("a", "old")
    archive = crafted(_entry("a") | _entry("b", "1" * 16, module="fresh"))
    before = _files(repos_root())
    with pytest.raises(ConflictError, match="dataset:a"):
        _unpack(archive)
    assert _files(repos_root()) == before
    assert load(Repositories(), "dataset", "a").tags() == {"old"}
    _unpack(archive, overwrite=True)
    assert load(Repositories(), "dataset", "a").tags() == {"new"}


def test_uid_of_replaced_entry_is_removed(add: Add, crafted: Callable[..., Path]) -> None:
    old = add("a")
    _unpack(crafted(_entry("a")), overwrite=True)
    assert load(Repositories(), "dataset", UID).alias == "a"
    assert find(Repositories(), "dataset", old.uid) == []


@pytest.mark.parametrize(
    "texts",
    [
        {"a.txt": "has no entries"},
        _entry("good") | {"../../out": "x"},
        _entry("good") | {"/tmp/ck-out": "x"},
        _entry("..", module=".."),
        _entry("good") | _entry("x", "1" * 16, module=".hidden"),
        _entry("good") | {"dataset/no-uid/.cm/meta.json": "{}"},
        _entry("good") | _entry("not a uid", "xyz"),
    ],
    ids=["no entry", "dots", "absolute", "module of dots", "hidden module", "without a uid", "wrong uid"],
)
def test_bad_entry_archive_extracts_nothing(crafted: Callable[..., Path], add: Add, texts: dict[str, str]) -> None:
    add("mine")
    before = _files(repos_root())
    with pytest.raises(CKError):
        _unpack(crafted(texts))
    assert _files(repos_root()) == before


def test_archive_cannot_replace_alias_files(crafted: Callable[..., Path], add: Add) -> None:
    entry = add("mine")
    with pytest.raises(CKError):
        _unpack(crafted(_entry(".cm")), overwrite=True)
    assert load(Repositories(), "dataset", entry.uid).alias == "mine"


def test_git_files_are_not_packed(tmp_path: Path) -> None:
    row = Repositories().add("mine")
    (row.path / ".git").mkdir()
    (row.path / ".git" / "config").write_text("secret")
    pack_repository(row, tmp_path / "mine.zip")
    assert zipfile.ZipFile(tmp_path / "mine.zip").namelist() == [".ckr.json"]


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        ({"a.txt": "x"}, NotFoundError),
        ({".ckr.json": '{"data_alias": "../out", "data_uid": "' + UID + '"}'}, UsageError),
        ({".ckr.json": '{"data_alias": "bad", "data_uid": "no"}'}, CKError),
        ({".ckr.json": "not json"}, CKError),
        ({".ckr.json": '{"data_alias": "bad", "data_uid": "' + UID + '"}', "../out": "x"}, CKError),
    ],
    ids=["no description", "name of dots", "wrong uid", "not json", "dots"],
)
def test_bad_repository_archive_extracts_nothing(
    crafted: Callable[..., Path], texts: dict[str, str], error: type[CKError]
) -> None:
    before = _files(repos_root())
    with pytest.raises(error):
        unpack_repository(crafted(texts), Repositories())
    assert _files(repos_root()) == before


def test_archive_cannot_bring_git_settings(crafted: Callable[..., Path]) -> None:
    description = {".ckr.json": json.dumps({"data_alias": "bad", "data_uid": UID})}
    archive = crafted(
        description | {".git/config": "[core]\n\tfsmonitor = touch /tmp/x\n", ".git/HEAD": "ref: refs/heads/main\n"}
    )
    with suppress(CKError):  # rejecting it is fine, too
        unpack_repository(archive, Repositories())
    assert list(repos_root().rglob(".git")) == []


@pytest.mark.parametrize("keep", [0.2, 0.9])
def test_truncated_zip_extracts_nothing(add: Add, tmp_path: Path, keep: float) -> None:
    entry = add("a")
    (entry.path / "file").write_bytes(os.urandom(20_000))
    archive = tmp_path / "a.zip"
    pack_entries([entry], archive)
    remove_entry(entry)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * keep)])
    before = _files(repos_root())
    for unpacking in (lambda: _unpack(archive), lambda: unpack_repository(archive, Repositories())):
        with pytest.raises(CKError, match=r"a\.zip"):
            unpacking()
    assert _files(repos_root()) == before


def test_repository_with_entries_ending_in_new_is_packed(add: Add, tmp_path: Path) -> None:
    entry = add("keep.new", "x")
    (entry.path / "sub.removed").mkdir()
    (entry.path / "sub.removed" / "file").write_text("content")
    (entry.path.parent / ".half.12345678.new").mkdir()
    (entry.path.parent / ".half.12345678.new" / "part").write_text("part")
    pack_repository(Repositories().get("local"), tmp_path / "out.zip")
    names = zipfile.ZipFile(tmp_path / "out.zip").namelist()
    assert "dataset/keep.new/.cm/meta.json" in names
    assert "dataset/keep.new/sub.removed/file" in names
    assert not [name for name in names if "half" in name]


# archives from another machine or from someone else


@pytest.mark.parametrize("module", ["venv", "env", "repo", "VENV", "7ed17cb445bb5f69"])
@pytest.mark.parametrize("alias", ["local", "theirs"])
def test_repository_with_machine_specific_entries_is_rejected(crafted: Callable[..., Path], module: str, alias: str) -> None:
    description = {".ckr.json": json.dumps({"data_alias": alias, "data_uid": UID})}
    archive = crafted(
        description | _entry("mlperf-inference", module=module) | {f"{module}/mlperf-inference/venv/bin/python": "x"}
    )
    for unpacking in (lambda: unpack_repository(archive, Repositories()), lambda: _unpack(archive)):
        with pytest.raises(CKError, match="machine"):
            unpacking()
    assert _files(repos_root()) in ([], ["local", "local/.ckr.json"])


def test_archive_cannot_become_local_repository(crafted: Callable[..., Path]) -> None:
    archive = crafted({".ckr.json": json.dumps({"data_alias": "local", "data_uid": UID})} | _entry("a"))
    with pytest.raises(ConflictError, match="'local' already exists"):
        unpack_repository(archive, Repositories())
    assert not (repos_root() / "local").exists()


def test_two_entries_with_one_uid_are_rejected(crafted: Callable[..., Path]) -> None:
    archive = crafted(_entry("a") | _entry("b") | {".ckr.json": json.dumps({"data_alias": "c", "data_uid": "1" * 16})})
    for unpacking in (lambda: unpack_repository(archive, Repositories()), lambda: _unpack(archive)):
        with pytest.raises(CKError, match="dataset:a and dataset:b have the same UID"):
            unpacking()


def test_same_uid_in_two_modules_is_allowed(crafted: Callable[..., Path]) -> None:
    assert len(_unpack(crafted(_entry("a") | _entry("b", module="experiment")))) == 2


def test_only_requested_module_is_extracted(crafted: Callable[..., Path]) -> None:
    archive = crafted(_entry("run", module="experiment") | _entry("model", "1" * 16, "package"))
    repositories = Repositories()
    done, left = unpack_entries(archive, repositories, repositories.writable(), "experiment")
    assert ([row.cid for row in done], left) == (["experiment:run"], ["package:model"])
    assert find(Repositories(), "package", "model") == []
    with pytest.raises(NotFoundError, match="holds no dataset; it holds experiment:run"):
        unpack_entries(archive, repositories, repositories.writable(), "dataset")


def test_all_extracts_recipes_into_a_repository_after_ours(crafted: Callable[..., Path]) -> None:
    repositories = Repositories()
    ours = load(repositories, "package", "model-demo-ssd")
    tags = json.dumps(ours.meta())
    new = _entry("run", module="experiment")
    for alias, uid, module in (
        ("a", "1" * 16, "package"), (ours.alias, "2" * 16, "package"), ("b", ours.uid, "package"),
        ("mlperf-inference-1.0", "3" * 16, "venv.template"), ("object-detection", "4" * 16, "program"),
    ):  # fmt: skip
        new |= _entry(alias, uid, module) | {f"{module}/{alias}/.cm/meta.json": tags}
    archive = crafted(new)
    done, left = unpack_entries(archive, repositories, repositories.writable(), "experiment", everything=True)
    assert left == []
    homes = {row.cid: row.repository for row in done}
    assert homes.pop("experiment:run") == "local"
    assert set(homes.values()) == {archive.stem}
    assert homes["venv.template:mlperf-inference-1.0"] == archive.stem
    fresh = Repositories()
    assert find(fresh, "package", tags="model,demo")[0] == ours
    chosen = variant_of(Resolver(survey(Session(fresh))).resolve("model,demo,onnx"))
    assert chosen is not None
    assert chosen.component.entry == ours
    for module, name in (
        ("package", ours.alias), ("package", ours.uid), ("env_templates", "mlperf-inference-1.0"),
        ("program", "object-detection"),
    ):  # fmt: skip
        assert load(fresh, module, name).repository == ours.repository
    assert load(fresh, "package", ours.alias, archive.stem).uid == "2" * 16


def test_requested_recipes_do_not_go_to_local(crafted: Callable[..., Path]) -> None:
    archive = crafted(_entry("a", module="package"))
    repositories = Repositories()
    local = repositories.writable()
    (entry,) = unpack_entries(archive, repositories, local, "package")[0]
    assert entry.repository == archive.stem
    with pytest.raises(ConflictError, match="which already exists") as caught:
        unpack_entries(archive, repositories, local, "package", overwrite=True)
    assert f"--repo_uoa={archive.stem}" in caught.value.hint
    again = repositories.get(archive.stem)
    assert unpack_entries(archive, repositories, again, "package", overwrite=True)[0] == [entry]


def test_all_extracts_no_data_replacing_other_entries(crafted: Callable[..., Path], add: Add) -> None:
    Repositories().add("other")
    theirs = add("photos", repository="other")
    repositories = Repositories()
    for entry in (_entry("photos", "2" * 16), _entry("more", theirs.uid)):
        with pytest.raises(ConflictError, match="would hide the one in other"):
            unpack_entries(
                crafted(entry | _entry("new", "3" * 16, "experiment") | _entry("p", "4" * 16, "package")), repositories,
                repositories.writable(), "experiment", everything=True, overwrite=True,
            )  # fmt: skip
    assert find(Repositories(), "experiment", "new") == []
    assert len(Repositories().all()) == 3


def test_entry_archive_has_no_links(tmp_path: Path, crafted: Callable[..., Path]) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        for name, text in _entry("a").items():
            (tmp_path / "text").write_text(text)
            file.add(tmp_path / "text", name)
        link = tarfile.TarInfo("dataset/a/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../.."
        file.addfile(link)
    with pytest.raises(CKError, match="is a link"):
        _unpack(path)


def test_extracted_files_follow_umask(crafted: Callable[..., Path]) -> None:
    (entry,) = _unpack(crafted(_entry("a")))
    assert stat.S_IMODE((entry.path / ".cm" / "meta.json").stat().st_mode) & 0o7000 == 0


@pytest.mark.parametrize("kind", ["link", "pipe", "folder of links"])
def test_irregular_alias_file_is_left_out(add: Add, tmp_path: Path, kind: str) -> None:
    entry = add("a")
    (tmp_path / "secret").write_text(entry.uid)
    alias = entry.path.parent / ".cm" / "alias-a-a"
    if kind == "folder of links":
        alias.parent.rename(tmp_path / "elsewhere")
        alias.parent.symlink_to(tmp_path / "elsewhere")
    else:
        alias.unlink()
        if kind == "link":
            alias.symlink_to(tmp_path / "secret")
        else:
            os.mkfifo(alias)
    pack_entries([entry], tmp_path / "a.zip")
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert "dataset/.cm/alias-a-a" not in names
    assert "dataset/a/.cm/meta.json" in names


@pytest.mark.parametrize("moment", [0, 2**33])
def test_file_with_odd_time_is_packed(add: Add, tmp_path: Path, moment: int) -> None:
    entry = add("a")
    (entry.path / "file").write_text("hi")
    os.utime(entry.path / "file", (moment, moment))
    pack_entries([entry], tmp_path / "a.zip")
    assert zipfile.ZipFile(tmp_path / "a.zip").read("dataset/a/file") == b"hi"

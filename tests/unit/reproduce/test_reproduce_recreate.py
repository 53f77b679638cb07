"""What is imported, and what cannot be reproduced: recipes, registered files, artifacts, bundles."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from servers import Server, whole
from servers import server as server
from unit.locks import make_venv

from ck_repo import network
from ck_repo.environment.lockfile import Lock, LockedComponent, RegisteredAs, RepositoryState
from ck_repo.errors import CKError, ConfigError, DownloadError, MismatchError, NotFoundError, OfflineError, UntrustedError
from ck_repo.install.fetch import adopt, fetch, pinned_digest
from ck_repo.install.source import Source
from ck_repo.machine.survey import survey
from ck_repo.reproduce.artifacts import bring_in, gather, pack_experiments
from ck_repo.reproduce.bundle import _unpack, make_bundle
from ck_repo.reproduce.recreate import install_components
from ck_repo.resolve.component import read_component
from ck_repo.run.recorded_options import options_of
from ck_repo.session import Session
from ck_repo.store.digest import of_file
from ck_repo.store.entry import Entry
from ck_repo.store.folders import default_repository_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]
SCOPE = "experiment:0123456789abcdef"
EMPTY = Lock({"version": "3.11.7"}, {"alias": "t"}, {})


@pytest.fixture
def thing(tmp_path: Path) -> tuple[Entry, LockedComponent]:
    """A package that fetches a file, and the resulting component."""
    served = tmp_path / "served.bin"
    served.write_text("content")
    digest = of_file(served)
    repositories = Repositories()
    url = served.as_uri()
    meta = {"tags": ["thing"], "file": "served.bin", "install": [{"download": {"url": url, "sha256": digest}}]}
    entry = create_entry(repositories.writable(), "package", "thing", meta)
    source = {"urls": [url], "size": 7, "sha256": digest}
    component = LockedComponent(
        "weights", "package", "thing", "thing", "local", "package", entry.uid, read_component(entry).digest,
        content=digest, key="k", file="served.bin", licence="MIT", downloads=(source,),
    )  # fmt: skip
    return entry, component


def problems(component: LockedComponent, **lock: Any) -> list[str]:
    venv = next(iter(find(Repositories(), "venv")), None)
    python = venv.path / "venv/bin/python" if venv else make_venv().python
    _, found = install_components(Session(), replace(EMPTY, components=(component,), **lock), python, SCOPE)
    return [str(row) for row in found]


def test_component_of_same_recipe_is_recreated(thing: tuple[Entry, LockedComponent]) -> None:
    assert problems(thing[1]) == []


def test_edited_recipe_error_names_original_commit(thing: tuple[Entry, LockedComponent]) -> None:
    (text,) = problems(
        replace(thing[1], digest="0" * 64),
        repositories={"local": RepositoryState(git=True, commit="abcdef0123456789", changed=True)},
    )
    assert "recipe thing: 000000000000" in text
    assert "it was local at abcdef012345 with changes" in text


def test_missing_recipe_says_where_to_get_it(thing: tuple[Entry, LockedComponent]) -> None:
    origin = RepositoryState(url="https://example.org/r.git", git=True, commit="abc")
    (text,) = problems(replace(thing[1], uid="f" * 16, repository="theirs"), repositories={"theirs": origin})
    assert "`ck pull repo:theirs --url=https://example.org/r.git --checkout=abc` gets it" in text


def test_missing_user_file_says_how_to_register_it() -> None:
    own = LockedComponent(
        "weights", "registered", "m.onnx", "model.onnx", key="d", content="d" * 64, meta=RegisteredAs(tags=("mine",))
    )
    (text,) = problems(own)
    assert "`ck detect soft:model.onnx --full_path=… --extra_tags=mine`" in text


def test_file_without_recipe_digest_is_checked_against_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zenodo's record may have another digest by then: the lock takes precedence."""
    served = tmp_path / "another.bin"
    served.write_text("replaced meanwhile")
    url = "https://zenodo.org/record/1/files/model.bin"
    monkeypatch.setenv("CK_MIRRORS", f"{url}={served.as_uri()}")
    meta = {"tags": ["thing"], "file": "model.bin", "install": [{"download": {"url": url}}]}
    entry = create_entry(Repositories().writable(), "package", "thing", meta)
    source = {"urls": [url], "sha256": "0" * 64}
    component = LockedComponent(
        "weights", "package", "thing", "thing", "local", "package", entry.uid, read_component(entry).digest, key="k",
        content="0" * 64, downloads=(source,),
    )  # fmt: skip
    network.go_offline()
    try:
        with pytest.raises(CKError, match=r"sha256 0+ expected"):
            problems(component)
    finally:
        monkeypatch.delenv("CK_OFFLINE")


def test_artifacts_need_no_source(thing: tuple[Entry, LockedComponent], tmp_path: Path) -> None:
    lock = replace(EMPTY, components=(thing[1],))
    found = gather(Session(), lock, only_free=True)
    digest = thing[1].content
    assert set(found.rows) == {f"files/{digest}"}
    (tmp_path / "there/files").mkdir(parents=True)
    shutil.copy(found.rows[f"files/{digest}"], tmp_path / "there/files" / digest)
    shutil.rmtree(tmp_path / "CK-TOOLS")
    (tmp_path / "served.bin").unlink()
    bring_in(Session(), lock, tmp_path / "there", SCOPE)
    assert problems(thing[1]) == []


def test_unlicensed_files_are_left_out_and_reported(thing: tuple[Entry, LockedComponent]) -> None:
    for licence, why in (
        ("", "no licence that permits redistribution"),
        ("CC-BY-NC-4.0", "its licence is CC-BY-NC-4.0"),
    ):
        lock = replace(EMPTY, components=(replace(thing[1], licence=licence),))
        found = gather(Session(), lock, only_free=True)
        assert found.rows == {}
        assert why in found.left[0][1]
        assert gather(Session(), lock, only_free=False).rows


def test_missing_registered_file_cannot_be_packed() -> None:
    own = LockedComponent(
        "weights", "registered", "m.onnx", "model.onnx", key="d", content="d" * 64, meta=RegisteredAs(tags=("mine",))
    )
    with pytest.raises(NotFoundError, match=r"m\.onnx is no longer registered"):
        gather(Session(), replace(EMPTY, components=(own,)), only_free=False)


def test_modified_artifact_is_rejected(thing: tuple[Entry, LockedComponent], tmp_path: Path) -> None:
    altered = tmp_path / "altered"
    altered.write_text("CONTENT")
    source = Source((thing[1].downloads[0]["urls"][0],), 7, thing[1].content)
    with pytest.raises(MismatchError, match="expected"):
        adopt(altered, source)
    assert not list((tmp_path / "CK-TOOLS/.cache/sha256").rglob("*"))


def test_manually_added_file_is_found_by_digest(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_text("content")
    url = "https://nowhere.invalid/x.bin"
    adopt(path, Source((url,), 7, of_file(path), of_file(path, "md5")))
    for source in (Source((url,), md5=of_file(path, "md5")), Source((url,), sha256=of_file(path))):
        assert fetch(source)[0].read_text() == "content"
    with pytest.raises(DownloadError, match="has no digest"):
        fetch(Source((url,)))


def test_locked_download_is_a_url_and_a_digest(thing: tuple[Entry, LockedComponent], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("kept")
    wrongs: list[dict[str, Any]] = [{"sha256": str(mine)}, {"urls": ["ftp://x/y"]}, {"urls": []}]
    for wrong in wrongs:
        component = replace(thing[1], downloads=({**thing[1].downloads[0], **wrong},))
        with pytest.raises(ConfigError):
            gather(Session(), replace(EMPTY, components=(component,)), only_free=False)
    assert mine.read_text() == "kept"


def unpinned(tmp_path: Path) -> tuple[LockedComponent, Path]:
    """A component whose recipe has no digest, and the folder with its file from an archive."""
    url = "https://zenodo.org/record/1/files/model.bin"
    meta = {"tags": ["thing"], "file": "model.bin", "install": [{"download": {"url": url}}]}
    entry = create_entry(Repositories().writable(), "package", "unpinned", meta)
    file = tmp_path / "model.bin"
    file.write_text("a stranger's")
    digest = of_file(file)
    (tmp_path / "archive/files").mkdir(parents=True)
    shutil.move(file, tmp_path / "archive/files" / digest)
    component = LockedComponent(
        "weights", "package", "unpinned", "unpinned", "local", "package", entry.uid, read_component(entry).digest, key="k",
        content=digest, downloads=({"urls": [url], "sha256": digest},),
    )  # fmt: skip
    return component, tmp_path / "archive"


def test_archived_file_without_digest_is_only_for_its_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    component, archive = unpinned(tmp_path)
    bring_in(Session(), replace(EMPTY, components=(component,)), archive, SCOPE)
    monkeypatch.setenv("CK_OFFLINE", "1")
    assert problems(component) == []
    url = str(component.downloads[0]["urls"][0])
    assert pinned_digest(Source((url,))) == ""
    with pytest.raises(OfflineError):  # nothing else uses this file for the URL
        fetch(Source((url,)))
    (key,) = {str(entry.meta()["key"]) for entry in find(Repositories(), "env")}
    assert key not in survey(Session()).installed
    assert key not in survey(Session(), scopes=["experiment:other"]).installed
    assert key in survey(Session(), scopes=[SCOPE]).installed


def test_verified_digest_overrides_lock_outside_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    component, archive = unpinned(tmp_path)
    bring_in(Session(), replace(EMPTY, components=(component,)), archive, SCOPE)
    url = str(component.downloads[0]["urls"][0])
    served = tmp_path / "published.bin"
    served.write_text("the publisher's")
    answer = json.dumps({"files": [{"key": "model.bin", "checksum": f"md5:{of_file(served, 'md5')}"}]})
    record = server.give("/record", whole(answer.encode()))
    api = "https://zenodo.org/api/records/1"
    monkeypatch.setenv("CK_MIRRORS", f"{url}={served.as_uri()} {api}={record}")
    assert fetch(Source((url,)))[0].read_text() == "the publisher's"
    assert problems(component) == []
    assert pinned_digest(Source((url,))) == of_file(served)


def test_archived_user_file_is_registered_only_for_its_replay(tmp_path: Path) -> None:
    model = default_repository_root() / "package/model-demo-ssd/demo_ssd.onnx"
    own = LockedComponent(
        "weights", "registered", "m", "model.onnx", content=of_file(model), key=of_file(model), file="m.onnx",
        meta=RegisteredAs(tags=("mine",), model={"profile": "coco-300"}),
    )  # fmt: skip
    folder = tmp_path / "there/registered" / own.content
    folder.mkdir(parents=True)
    shutil.copy(model, folder / "m.onnx")
    bring_in(Session(), replace(EMPTY, components=(own,)), tmp_path / "there", SCOPE)
    assert survey(Session()).registered == []
    assert [row.key for row in survey(Session(), scopes=[SCOPE]).registered] == [own.key]


def test_archived_interpreter_is_rejected_and_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    own = LockedComponent(
        "python",
        "registered",
        "Python",
        "compiler.python",
        content="a" * 64,
        key="a" * 64,
        file="python",
        meta=RegisteredAs(tags=("x",)),
    )
    folder = tmp_path / "there/registered" / own.content
    folder.mkdir(parents=True)
    (folder / "python").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (folder / "python").chmod(0o755)
    with pytest.raises(UntrustedError, match="refused to register Python from an archive"):
        bring_in(Session(), replace(EMPTY, components=(own,)), tmp_path / "there", SCOPE)
    assert not mark.exists()


def test_options_of_other_machine_are_ignored(thing: tuple[Entry, LockedComponent]) -> None:
    options = {"scenario": "offline", "meter": "rm -rf /", "venv": "theirs", "seconds": 2}
    found = options_of(replace(EMPTY, options=options), thing[0])
    assert (found.meter, found.venv, found.seconds) == ("", "", 2)
    for wrong in ({"scenario": "x"}, {"seconds": "2"}, {"no-such": 1}, {"sessions": 100000}, {"count": -1}, {"seconds": 1e99}):
        with pytest.raises(ConfigError):
            options_of(replace(EMPTY, options=wrong), thing[0])


def test_corrupt_artifact_does_not_block_a_good_one(tmp_path: Path) -> None:
    model = default_repository_root() / "package/model-demo-ssd/demo_ssd.onnx"
    meta = RegisteredAs(tags=("mine",), model={"profile": "coco-300"})
    own = LockedComponent(
        "weights", "registered", "m", "model.onnx", content=of_file(model), key=of_file(model), file="m.onnx", meta=meta
    )
    folder = tmp_path / "there/registered" / own.content
    folder.mkdir(parents=True)
    (folder / "m.onnx").write_bytes(model.read_bytes()[:-9])
    lock = replace(EMPTY, components=(own,))
    with pytest.raises(MismatchError):
        bring_in(Session(), lock, tmp_path / "there", SCOPE)
    (folder / "m.onnx").write_bytes(model.read_bytes())
    bring_in(Session(), lock, tmp_path / "there", SCOPE)
    assert [entry.meta()["digest"] for entry in find(Repositories(), "env")] == [own.content]
    with pytest.raises(NotFoundError):
        bring_in(Session(), replace(EMPTY, components=(replace(own, alias="../x", key="0" * 64),)), tmp_path / "there", SCOPE)


def test_archived_venv_is_rejected(ck: Ck, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("venv/mine/.cm/meta.json", "{}")
        file.writestr("venv/mine/.cm/info.json", '{"backup_data_uid": "0123456789abcdef"}')
        file.writestr("venv/mine/venv/bin/python", "#!/bin/sh")
    answer = ck("unzip", "experiment", f"--zip={tmp_path / 'a.zip'}", "--out=json")
    assert answer.code != 0
    assert "which belongs to another machine" in answer.json["error"]
    assert ck("ls", "venv", "--out=json").json["lst"] == []


# invalid bundles


def bundle(path: Path, change: Callable[[dict[str, bytes]], None] = lambda rows: None) -> Path:
    rows = {"lock.json": json.dumps(EMPTY.as_data()).encode(), "wheels/x-1-py3-none-any.whl": b"wheel"}
    listed = {name: {"sha256": sha256(content).hexdigest(), "size": len(content)} for name, content in rows.items()}
    rows["bundle.json"] = json.dumps({"format": "ck-bundle", "version": 1, "files": listed}).encode()
    change(rows)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in rows.items():
            file.writestr(name, content)
    return path


def test_valid_bundle(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    _unpack(bundle(tmp_path / "b.zip"), tmp_path / "to")
    assert (tmp_path / "to/wheels/x-1-py3-none-any.whl").read_bytes() == b"wheel"


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda rows: rows.update({"wheels/x-1-py3-none-any.whl": b"evil!"}),
            MismatchError,
            "differs from the bundle",
        ),
        (lambda rows: rows.update({"wheels/more.whl": b"x"}), MismatchError, "has a file that it does not list"),
        (lambda rows: rows.pop("lock.json"), MismatchError, "lacks a file that it lists"),
        (lambda rows: rows.pop("bundle.json"), ConfigError, "is not a bundle"),
        (lambda rows: rows.update({"../evil": b"x"}), MismatchError, "evil"),
        (lambda rows: rows.update({"repositories/r/.git/config": b"x"}), MismatchError, "it holds"),
        (
            lambda rows: rows.update({"bundle.json": b'{"format": "ck-bundle", "version": 9, "files": {}}'}),
            ConfigError,
            "of format ck-bundle 9",
        ),
    ],
    ids=["altered", "more", "less", "no list", "leads out", "git", "newer"],
)
def test_invalid_bundle(tmp_path: Path, change: Any, kind: type[CKError], message: str) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises(kind, match=message):
        _unpack(bundle(tmp_path / "b.zip", change), tmp_path / "to")
    assert not (tmp_path / "evil").exists()


def test_truncated_bundle_leaves_nothing(ck: Ck, tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.zip")
    path.write_bytes(path.read_bytes()[:-30])
    answer = ck("create", "venv:air", f"--bundle={path}", "--out=json")
    assert answer.code == 10
    assert "is damaged or truncated" in answer.json["error"]
    assert not list((tmp_path / "CK-TOOLS").glob(".bundle-*"))
    assert ck("ls", "venv", "--out=json").json["lst"] == []
    assert ck("create", "venv:air", "--bundle=none.zip").code == 16


def with_repository(alias: str, *more: str) -> Callable[[dict[str, bytes]], None]:
    """Put repositories into a bundle."""

    def change(rows: dict[str, bytes]) -> None:
        for number, name in enumerate((alias, *more)):
            content = json.dumps({"data_alias": name, "data_uoa": name, "data_uid": f"{number:016x}", "dict": {}}).encode()
            rows[f"repositories/{name}/.ckr.json"] = content
        listed = {name: {"sha256": sha256(content).hexdigest()} for name, content in rows.items() if name != "bundle.json"}
        rows["bundle.json"] = json.dumps({"format": "ck-bundle", "version": 1, "files": listed}).encode()

    return change


def test_failed_creation_from_bundle_leaves_no_repository(ck: Ck, tmp_path: Path, ck_home: Path) -> None:
    repositories = ck("ls", "repo", "--out=json").json["lst"]
    path = bundle(tmp_path / "b.zip", with_repository("brought", "other"))
    with zipfile.ZipFile(path) as file:
        assert "repositories/brought/.ckr.json" in file.namelist()
    (ck_home / "CK" / "local" / "venv" / "air" / ".cm").mkdir(parents=True)
    (ck_home / "CK" / "local" / "venv" / "air" / ".cm" / "meta.json").write_text("damaged")
    done = ck("create", "venv:air", f"--bundle={path}", "--python=" + sys.executable)
    assert done.code == 3
    assert "local/venv/air has no UID" in done.err
    assert not (ck_home / "CK" / "brought").exists()
    assert ck("ls", "repo", "--out=json").json["lst"] == repositories


def test_bundled_local_repository_is_no_conflict(ck: Ck, tmp_path: Path, ck_home: Path) -> None:
    path = bundle(tmp_path / "b.zip", with_repository("another", "local"))
    done = ck("create", "venv:air", f"--bundle={path}", "--python=" + sys.executable)
    assert done.code == 0, done.err
    assert "of this machine" not in done.err
    repositories = {path.name for path in (ck_home / "CK").iterdir() if (path / ".ckr.json").is_file()}
    assert {"another", "local"} <= repositories
    assert len([name for name in repositories if name.startswith("local-")]) == 1  # that of the bundle, beside this machine's


def test_drifted_venv_is_not_bundled(tmp_path: Path) -> None:
    from unit.locks import add_package

    from ck_repo.environment.locking import renew_lock

    venv = make_venv()
    renew_lock(Session(), venv)
    add_package(venv, "by-hand", "1")
    with pytest.raises(MismatchError, match="differs from its lock: package by-hand"):
        make_bundle(Session(), venv, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_experiments_are_packed_with_and_without_artifacts(thing: tuple[Entry, LockedComponent], tmp_path: Path) -> None:
    from ck_repo.environment.lockfile import NAME, write_lock

    repositories = Repositories()
    entry = create_entry(repositories.writable(), "experiment", "mine", {"tags": ["experiment"]})
    write_lock(entry.path / NAME, replace(EMPTY, components=(thing[1],)))
    pack_experiments(Session(repositories), [entry], tmp_path / "plain.zip", artifacts="no")
    _, left = pack_experiments(Session(repositories), [entry], tmp_path / "full.zip", artifacts="yes")
    plain, full = (set(zipfile.ZipFile(tmp_path / name).namelist()) for name in ("plain.zip", "full.zip"))
    more = full - plain
    recipe = {name for name in more if name.startswith("experiment/mine/artifacts/repositories/local/")}
    assert more - recipe == {f"experiment/mine/artifacts/files/{thing[1].content}"}
    assert "experiment/mine/artifacts/repositories/local/package/thing/.cm/meta.json" in recipe
    assert "experiment/mine/lock.json" in plain
    assert left == []

"""Recipes of other repositories are packed with archives, and a replay uses those that the lock names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ck_repo.environment.collect import entry_of
from ck_repo.environment.lockfile import Lock, LockedComponent
from ck_repo.errors import ConflictError, MismatchError, NotFoundError
from ck_repo.machine.register import register
from ck_repo.machine.survey import survey
from ck_repo.reproduce.pins import pinned
from ck_repo.reproduce.recipes import RECIPES, gather_recipes, recipes_brought_in, recipes_of_experiment
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.installed import Installed
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


def _package(repository: str = "", alias: str = "model-mine", **meta: Any) -> Entry:
    repositories = Repositories()
    if repository and repositories.named(repository) is None:
        repositories.add(repository)
    content = {"tags": ["model", "mine"], "install": [{"copy": {"file": "model.onnx"}}], "file": "model.onnx", **meta}
    return create_entry(repositories.writable(repository), "package", alias, content, files={"model.onnx": "weights"})


def _row(entry: Entry, role: str = "weights", **more: Any) -> LockedComponent:
    known = {"source": "package", "label": entry.alias, "alias": entry.alias, "repository": entry.repository}
    return LockedComponent(role, **{**known, "module": "package", "uid": entry.uid, "key": entry.uid * 4, **more})


def _lock(*rows: LockedComponent) -> Lock:
    return Lock({}, {}, {}, rows)


def _packed(folder: Path, *rows: LockedComponent) -> Path:
    """The recipes of a lock as unpacked from an archive."""
    for name, path in gather_recipes(Session(), _lock(*rows)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    return folder


@pytest.mark.parametrize(("repository", "alias"), [("other", "other"), ("", "local-")])
def test_recipe_comes_from_lock_without_repositories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: str, alias: str
) -> None:
    entry = _package(repository)
    folder = _packed(tmp_path / "artifacts", _row(entry))
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "elsewhere" / "CK"))
    monkeypatch.setenv("CK_TOOLS", str(tmp_path / "elsewhere" / "TOOLS"))
    session = Session()
    with recipes_of_experiment(session, folder):
        found = entry_of(session, "package", entry.uid)
    assert found is not None
    assert found.repository.startswith(alias)
    assert (found.path / "model.onnx").read_text() == "weights"
    with recipes_of_experiment(session, folder):  # again: it is here
        assert len([row for row in Repositories().all() if row.alias.startswith(alias.rstrip("-"))]) == (1 if repository else 2)


def test_failure_removes_added_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _packed(tmp_path / "artifacts", _row(_package("other")))
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "elsewhere"))
    session = Session()
    with pytest.raises(ZeroDivisionError), recipes_of_experiment(session, folder):
        raise ZeroDivisionError
    assert not (tmp_path / "elsewhere" / "other").exists()


def test_other_repository_of_same_name_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _packed(tmp_path / "artifacts", _row(_package("other")))
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "elsewhere"))
    Repositories().add("other")
    with (
        pytest.raises(ConflictError, match="the repository other of the archive"),
        recipes_brought_in(Session(), folder / RECIPES),
    ):
        pass


def test_links_in_foreign_experiment_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = _packed(tmp_path / "artifacts", _row(_package("other")))
    (folder / RECIPES / "other" / "package" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(MismatchError), recipes_of_experiment(Session(), folder):
        pass


def test_replay_uses_recipe_of_lock_not_its_tags() -> None:
    ours = _package("other", variations={"fp32": {}})
    _package("", "model-newer", priority=9)  # the tags select this one
    words = pinned(Session(), _lock(_row(ours, variations=("fp32",))), "experiment:x")
    assert words == {"weights": [ours.uid, "fp32"]}
    resolver = Resolver(survey(Session()))
    assert resolver.resolve("model,mine").label == "model-newer"
    assert resolver.resolve(["model", "mine", *words["weights"]]).label == "model-mine"


def test_replay_follows_conversion_to_its_source() -> None:
    source = _row(_package("other"), role="source")
    made = LockedComponent("weights", "conversion", "model-mine", "convert-a-to-b", key="c" * 64, inputs={"source": source.key})
    assert pinned(Session(), _lock(source, made), "experiment:x") == {"weights": [source.uid]}


def test_replay_uses_registered_file_of_lock(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("a")
    stat = (tmp_path / "a.onnx").stat()
    meta = Installed(
        "a.onnx", soft="model.onnx", tags=("model",), path=str(tmp_path), file=str(tmp_path / "a.onnx"), digest="d" * 64,
        size=stat.st_size, changed_ns=stat.st_mtime_ns,
    )  # fmt: skip
    entry = register(Session(), meta, [])
    row = LockedComponent("weights", "registered", "a.onnx", "model.onnx", key="d" * 64, content="d" * 64)
    assert pinned(Session(), _lock(row), "experiment:x") == {"weights": [entry.uid]}


def test_replay_without_recipe_says_how_to_get_it() -> None:
    entry = _package("other")
    Repositories().remove("other")
    with pytest.raises(NotFoundError, match="the recipe of model-mine") as caught:
        pinned(Session(), _lock(_row(entry)), "experiment:x")
    assert "--artifacts=all" in caught.value.hint

"""The user's files are registered, and used when tags match."""

from __future__ import annotations

import functools
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ck_repo.errors import ConfigError, DetectError
from ck_repo.machine.register import detect, problem, register
from ck_repo.machine.survey import survey
from ck_repo.resolve.plan import RegisteredFile
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.stock.environment import read_env
from ck_repo.store.installed import Installed
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load
from ck_repo.store.writing import create_entry

if TYPE_CHECKING:
    from unit.machine.conftest import DataSet


@pytest.fixture
def repositories() -> Repositories:
    return Repositories()


@pytest.fixture
def model(tmp_path: Path, demo_model: Path) -> Path:
    """A model file of the user's."""
    return Path(shutil.copy(demo_model, tmp_path / "mine.onnx"))


def known(repositories: Repositories, path: Path, soft: str = "model.onnx", tags: str = "mine", **options: str) -> Installed:
    """Detect, register, and read the env entry."""
    found = detect(load(repositories, "soft", soft), path, options)
    return read_env(register(Session(repositories), found, tags.split(",")))


def test_model_is_registered_in_place_and_found_by_tags(repositories: Repositories, model: Path) -> None:
    meta = known(repositories, model, dataset="dataset,mine")
    assert meta.file == str(model)
    assert (meta.model or {})["dataset"] == "dataset,mine"
    assert {"model", "onnx", "object-detection", "mine"} <= set(meta.tags)
    choice = Resolver(survey(Session(repositories))).resolve("model,mine")
    assert isinstance(choice, RegisteredFile)
    assert choice.env.file == str(model)
    assert choice.model["profile"] == "coco-300"


def test_same_file_replaces_its_entry(repositories: Repositories, model: Path) -> None:
    known(repositories, model, tags="old")
    known(repositories, model, tags="new")
    (entry,) = find(repositories, "env")
    assert "new" in entry.tags()
    assert "old" not in entry.tags()


def test_latest_of_two_files_is_selected(repositories: Repositories, model: Path) -> None:
    other = Path(shutil.copy(model, model.with_name("other.onnx")))
    for path in (model, other, model):
        known(repositories, path)
    choice = Resolver(survey(Session(repositories))).resolve("model,mine")
    assert isinstance(choice, RegisteredFile)
    assert choice.env.file == str(model)


def test_data_set_is_registered(repositories: Repositories, data_set: DataSet) -> None:
    meta = known(repositories, data_set.images / "1.png", "dataset.coco.2017.val")
    assert meta.name == "val2017 (3 images)"
    assert meta.dataset
    assert meta.dataset.images == str(data_set.images)
    assert "full" not in meta.tags  # the real one has 5000 images


def test_invalid_model_file_is_an_error(repositories: Repositories, tmp_path: Path) -> None:
    for path, what in ((tmp_path / "absent.onnx", "does not exist"), (tmp_path, "is not a file")):
        with pytest.raises(DetectError, match=what) as caught:
            known(repositories, path)
        assert caught.value.hint.endswith("/model.onnx")
    with pytest.raises(DetectError, match=r"saved_model\.pb does not exist") as caught:
        known(repositories, tmp_path, "model.tf")
    assert "model.pb, or the folder of a SavedModel" in caught.value.hint


def test_unknown_soft_entry_is_reported(repositories: Repositories, model: Path) -> None:
    soft = create_entry(repositories.writable(), "soft", "mine", {"detect": "onx"})
    with pytest.raises(ConfigError, match=r"detect is 'onx'") as caught:
        detect(soft, model, {})
    assert "onnx" in caught.value.hint


def test_unchanged_or_touched_file_has_no_problem(repositories: Repositories, model: Path) -> None:
    meta = known(repositories, model)
    assert problem(meta) == ""
    os.utime(model, (1, 1))
    assert problem(meta) == ""


def test_changed_or_missing_file_says_what_to_do(repositories: Repositories, model: Path) -> None:
    meta = known(repositories, model)
    content = model.read_bytes()
    model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert f"was changed after it was registered (`ck refresh env:{meta.uid}` registers its current state)" in problem(meta)
    model.unlink()
    assert "is missing" in problem(meta)


def test_changed_annotations_are_reported(repositories: Repositories, data_set: DataSet) -> None:
    meta = known(repositories, data_set.images, "dataset.coco")
    data_set.content["info"] = "edited"
    data_set.write()
    assert "were changed after it was registered" in problem(meta)


def test_broken_env_entry_is_skipped_with_warning(
    repositories: Repositories, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known(repositories, model)
    (find(repositories, "env")[0].path / ".cm/meta.json").write_text("{")
    assert survey(Session(repositories)).registered == []
    assert "meta.json is not JSON" in capsys.readouterr().err


def test_last_registration_wins_despite_clock_change(
    repositories: Repositories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metas = [
        Installed(name, file=str(tmp_path / name), path=str(tmp_path), soft="s", digest=name, tags=("t",))
        for name in ("first", "second")
    ]
    real = time.gmtime
    for meta, seconds in zip(metas, (4_000_000_000, 1_000), strict=True):
        Path(meta.file).touch()
        with monkeypatch.context() as patch:
            patch.setattr(time, "gmtime", functools.partial(real, seconds))
            register(Session(repositories), meta, [])
    assert [row.name for row in survey(Session(repositories)).registered] == ["second", "first"]

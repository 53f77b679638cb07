"""Only registered files are packed with an experiment, and only regular files are read from one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_sets
import pytest
from model_files import OPENVINO_NET

from ck_repo.environment.lockfile import Lock, LockedComponent, RegisteredAs
from ck_repo.errors import ConfigError, DetectError, MismatchError
from ck_repo.machine.register import DATA_KINDS, detect, register
from ck_repo.reproduce.artifacts import FILES, REGISTERED, bring_in, gather
from ck_repo.reproduce.data_set import brought_in
from ck_repo.session import Session
from ck_repo.stock.environment import read_env
from ck_repo.store.folders import tools_root
from ck_repo.store.installed import InstalledDataset
from ck_repo.store.search import find, load
from ck_repo.store.writing import remove_entry

KEY = "a" * 64


def _lock(*components: LockedComponent) -> Lock:
    return Lock({}, {}, {}, components)


def _registered(path: Path, soft: str = "dataset.coco", **options: str) -> tuple[Session, LockedComponent]:
    """A data set or model of the user, registered, and its part of a lock."""
    session = Session()
    env = read_env(register(session, detect(load(session.repositories, "soft", soft), path, options), []))
    row = LockedComponent(
        "files", "registered", env.name, soft, key=env.key, content=env.digest,
        file=Path(env.file).name, meta=RegisteredAs(env.name, env.tags, model=env.model, dataset=env.dataset),
    )  # fmt: skip
    return session, row


def _pack(session: Session, row: LockedComponent, folder: Path) -> None:
    """Copy the files of a component to the folder of artifacts, as archives contain them."""
    for name, path in gather(session, _lock(row), only_free=False).rows.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def test_every_kind_of_model_and_data_set_may_be_in_archive() -> None:
    kinds = {str(entry.meta()["detect"]) for entry in find(Session().repositories, "soft")}
    assert kinds - DATA_KINDS == {"python", "python-package"}
    assert kinds >= DATA_KINDS


def test_model_with_weights_is_registered_from_archive(tmp_path: Path) -> None:
    """OpenVINO's format has two files."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "m.xml").write_text(OPENVINO_NET)
    (model / "m.bin").write_bytes(b"weights")
    session, row = _registered(model / "m.xml", "model.openvino")
    _pack(session, row, tmp_path / "artifacts")
    shutil.rmtree(model)
    remove_entry(find(session.repositories, "env")[0])
    bring_in(session, _lock(row), tmp_path / "artifacts", "venv:v")
    (env,) = (read_env(entry) for entry in find(session.repositories, "env"))
    assert (env.key, env.parts) == (row.key, ("m.bin",))
    assert Path(env.file).with_name("m.bin").read_bytes() == b"weights"


def test_names_of_other_files_pack_nothing(tmp_path: Path) -> None:
    coco_sets.write_coco(tmp_path / "set", images=2)
    session, row = _registered(tmp_path / "set")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    annotations = tmp_path / "set/annotations/instances_val2017.json"
    content = json.loads(annotations.read_text())
    for name in ("../../secret", str(secret)):
        content["images"][0]["file_name"] = name
        annotations.write_text(json.dumps(content))
        with pytest.raises(MismatchError, match="were changed after it was registered"):
            gather(session, _lock(row), only_free=False)
        with pytest.raises(DetectError, match="are not images"):
            detect(load(session.repositories, "soft", "dataset.coco"), tmp_path / "set", {})


@pytest.mark.parametrize(
    "paths",
    [
        {"images": "/set/..", "annotations": "/set/a.json"},
        {"images": "/set", "annotations": "/a.json", "given": {"path": "/set/../../home"}},
        {"images": "/set", "annotations": "/a.json", "given": {"path": "/set", "annotations": "/set/../../secret.json"}},
    ],
)
def test_lock_paths_do_not_escape_artifacts(tmp_path: Path, paths: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="leads out of its data set"):
        brought_in(InstalledDataset(**paths), tmp_path)


@pytest.mark.parametrize("names", ["absolute", "upwards", "in folders"])
def test_external_images_are_packed_with_data_set(tmp_path: Path, names: str) -> None:
    """Whatever paths the annotations contain, the packed data set can be registered on a machine without them."""
    coco_sets.write_coco(tmp_path / "set", images=3)
    images, annotations = tmp_path / "set/val2017", tmp_path / "set/annotations/instances_val2017.json"
    content = json.loads(annotations.read_text())
    for number, image in enumerate(content["images"]):
        moved = {"absolute": tmp_path / "far", "upwards": tmp_path / "set/other", "in folders": images / f"part{number}"}[names]
        moved.mkdir(exist_ok=True)
        path = shutil.move(images / image["file_name"], moved / "same.jpg" if names == "in folders" else moved)
        image["file_name"] = str(path) if names == "absolute" else os.path.relpath(path, images)
    annotations.write_text(json.dumps(content))
    session, row = _registered(images)
    _pack(session, row, tmp_path / "artifacts")
    shutil.rmtree(tmp_path / "set")
    shutil.rmtree(tmp_path / "far", ignore_errors=True)
    remove_entry(find(session.repositories, "env")[0])
    bring_in(session, _lock(row), tmp_path / "artifacts", "venv:v")
    assert [entry.meta()["key"] for entry in find(session.repositories, "env")] == [row.key]


def _link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _pipe(path: Path, secret: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("put", [_link, _pipe])
def test_irregular_artifact_is_not_used(tmp_path: Path, put: Callable[[Path, Path], None]) -> None:
    """A pulled repository may contain links, although no archive does."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    (tmp_path / "artifacts" / FILES).mkdir(parents=True)
    put(tmp_path / "artifacts" / FILES / digest, secret)
    download = {"urls": ["https://example.org/m.onnx"], "sha256": digest}
    bring_in(
        Session(),
        _lock(LockedComponent("weights", "package", "m", "m", downloads=(download,))),
        tmp_path / "artifacts",
        "x",
    )
    assert not list(tools_root().rglob(digest))
    folder = tmp_path / "artifacts" / REGISTERED / KEY
    folder.mkdir(parents=True)
    put(folder / "m.onnx", secret)
    meta = RegisteredAs(tags=("m",))
    row = LockedComponent("weights", "registered", "m", "model.onnx", key=KEY, content=KEY, file="m.onnx", meta=meta)
    with pytest.raises(MismatchError, match=r"is a link|is a named pipe"):
        bring_in(Session(), _lock(row), tmp_path / "artifacts", "experiment:1")
    assert not [path for path in tools_root().rglob("*") if path.is_file() and "secret" in path.read_text()]

"""What goes out with an experiment is what was registered, and what comes in is plain files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.environment.lockfile import Lock, LockedComponent, RegisteredAs
from ck_repo.errors import NotTheSameError
from ck_repo.machine.register import register
from ck_repo.reproduce.artifacts import FILES, REGISTERED, bring_in, gather
from ck_repo.session import Session
from ck_repo.store.folders import tools_root
from ck_repo.store.installed import Installed, InstalledDataset
from ck_repo.store.repositories import Repositories

KEY = "a" * 64


def _lock(*components: LockedComponent) -> Lock:
    return Lock({}, {}, {}, components)


def test_names_of_images_that_lead_out_are_not_packed(tmp_path: Path) -> None:
    images = tmp_path / "set" / "images"
    images.mkdir(parents=True)
    (images / "1.jpg").write_text("image")
    (tmp_path / "secret").write_text("secret")
    (images / "link.jpg").symlink_to(tmp_path / "secret")
    os.mkfifo(images / "pipe.jpg")
    names = ["1.jpg", "../../secret", str(tmp_path / "secret"), "link.jpg", "pipe.jpg", "none.jpg"]
    annotations = tmp_path / "set" / "a.json"
    annotations.write_text(json.dumps({"images": [{"file_name": name} for name in names]}))
    repositories = Repositories()
    data_set = Installed(
        "set", soft="dataset.coco", tags=("set",), path=str(tmp_path / "set"), file=str(annotations), digest=KEY,
        dataset=InstalledDataset(str(images)),
    )  # fmt: skip
    register(Session(repositories), data_set, [])
    row = LockedComponent(
        "dataset", "registered", "set", "dataset.coco", key=KEY, content=KEY, meta=RegisteredAs(tags=("set",))
    )
    found = gather(Session(repositories), _lock(row), only_free=False)
    assert sorted(found.rows.values()) == [annotations, images / "1.jpg"]


def _link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _pipe(path: Path, secret: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("put", [_link, _pipe])
def test_an_artifact_that_is_no_plain_file_is_not_taken(tmp_path: Path, put: Callable[[Path, Path], None]) -> None:
    """A repository that was pulled may hold links, although no archive does."""
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
    row = LockedComponent(
        "weights", "registered", "m", "model.onnx", key=KEY, content=KEY, file="m.onnx", meta=RegisteredAs(tags=("m",))
    )
    with pytest.raises(NotTheSameError, match=r"is a link|is a named pipe"):
        bring_in(Session(), _lock(row), tmp_path / "artifacts", "experiment:1")
    assert not [path for path in tools_root().rglob("*") if path.is_file() and "secret" in path.read_text()]

"""`Installer`: a folder appears under its name once it is complete, and is reused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.errors import CKError, InstallError
from ck_repo.machine.survey import survey
from ck_repo.resolve.plan import InstalledPackage
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.search import load

if TYPE_CHECKING:
    from unit.install.conftest import Shelf

HELLO = {"copy": {"file": "hello.txt"}}


def visible(ck_home: Path) -> list[str]:
    """Entries in CK_TOOLS that a user sees."""
    root = ck_home / "CK-TOOLS"
    return sorted(path.name for path in root.iterdir() if not path.name.startswith(".")) if root.exists() else []


def test_installed_package_is_a_folder_and_an_env_entry(shelf: Shelf, ck_home: Path) -> None:
    entry = shelf.package("hello", HELLO, files={"hello.txt": "hi"}, file="hello.txt", version="1.2", model={"opset": 8})
    meta = shelf.install("hello")
    assert Path(meta["file"]).read_text() == "hi"
    assert visible(ck_home) == [Path(meta["path"]).name] == [f"hello-{meta['key'][:12]}"]
    assert meta["digest"] == hashlib.sha256(b"hi").hexdigest()
    assert (meta["version"], meta["model"], meta["component"]["uid"]) == ("1.2", {"opset": 8}, entry.uid)
    assert load(shelf.repositories, "env", meta["uid"]).meta() | {"uid": meta["uid"]} == meta


def test_existing_install_is_reused(shelf: Shelf) -> None:
    shelf.package("hello", HELLO, files={"hello.txt": "hi"})
    first = shelf.install("hello")
    mark = Path(first["path"], "mark")
    mark.touch()
    assert shelf.install("hello")["path"] == first["path"]
    assert mark.exists()
    assert isinstance(Resolver(survey(Session(shelf.repositories))).resolve("hello"), InstalledPackage)


def test_deleted_folder_is_reinstalled(shelf: Shelf) -> None:
    shelf.package("hello", HELLO, files={"hello.txt": "hi"})
    first = shelf.install("hello")
    shutil.rmtree(first["path"])
    assert shelf.install("hello")["path"] == first["path"]
    assert Path(first["path"], "hello.txt").read_text() == "hi"


def test_env_entry_describes_latest_installation(shelf: Shelf) -> None:
    script = "import os, pathlib; pathlib.Path('out').write_bytes(os.urandom(8))"
    shelf.package("dice", {"script": {"file": "dice.py"}}, files={"dice.py": script}, file="out")
    shutil.rmtree(shelf.install("dice")["path"])
    meta = shelf.install("dice")
    assert load(shelf.repositories, "env", meta["uid"]).meta()["digest"] == meta["digest"]


def test_corrupt_folder_is_replaced(shelf: Shelf) -> None:
    shelf.package("hello", HELLO, files={"hello.txt": "hi"})
    folder = Path(shelf.install("hello")["path"])
    (folder / ".ck-install.json").unlink()
    (folder / "hello.txt").write_text("spoilt")
    shutil.rmtree(load(shelf.repositories, "env", "*").path)
    assert shelf.install("hello")["path"] == str(folder)
    assert (folder / "hello.txt").read_text() == "hi"


def test_recipe_without_promised_result_leaves_nothing(shelf: Shelf, ck_home: Path) -> None:
    shelf.package("hello", HELLO, files={"hello.txt": "hi"}, file="model.onnx")
    with pytest.raises(InstallError, match=r"promises model.onnx, which does not exist") as caught:
        shelf.install("hello")
    assert "hello.txt" in caught.value.hint
    assert visible(ck_home) == []


def test_changed_recipe_is_installed_next_to_the_old_one(shelf: Shelf, ck_home: Path) -> None:
    entry = shelf.package("hello", HELLO, files={"hello.txt": "hi"})
    old = shelf.install("hello")
    (entry.path / "hello.txt").write_text("hi again")
    new = shelf.install("hello")
    assert Path(old["path"], "hello.txt").read_text() == "hi"
    assert Path(new["path"], "hello.txt").read_text() == "hi again"
    assert len(visible(ck_home)) == 2


def test_dependency_is_installed_first_and_passed_to_script(shelf: Shelf) -> None:
    shelf.package("words", HELLO, files={"hello.txt": "hi"})
    script = "import shutil, sys; shutil.copy(sys.argv[1] + '/hello.txt', sys.argv[2] + '/out')"
    step = {"script": {"file": "make.py", "arguments": ["{words}", "{folder}"]}}
    shelf.package("loud", step, files={"make.py": script}, deps={"words": {"tags": "words"}})
    meta = shelf.install("loud")
    assert Path(meta["path"], "out").read_text() == "hi"
    assert set(meta["inputs"]) == {"words"}


def test_variation_steps_and_values_are_used(shelf: Shelf) -> None:
    script = "import pathlib, sys; pathlib.Path('out').write_text(sys.argv[1])"
    variations = {name: {"group": "count", "changes": {"values": {"count": name[1:]}}} for name in ("n1", "n2")}
    step = {"script": {"file": "make.py", "arguments": ["{count}"]}}
    shelf.package("count", step, files={"make.py": script}, variations=variations)
    assert [Path(shelf.install(f"count,{name}")["path"], "out").read_text() for name in ("n1", "n2")] == ["1", "2"]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([{"compile": {}}], r"meta.json: install\[0\].compile is not a known key"),
        ([{"copy": {"file": "x"}, "script": {"file": "x"}}], "a step is one of download, git, copy, move, patch, script"),
        ([{}], "this one has none"),
        ([{"copy": {"source": "x"}}], r"meta.json: install\[0\].copy.source is not a known key"),
        ([{"copy": {"file": "x"}}, {"script": {"args": []}}], r"install\[1\].script.args is not a known key"),
        ([{"copy": {}}], r"install\[0\].copy.file is None, not a text"),
        (["copy"], r"install\[0\] is 'copy', not an object"),
    ],
)
def test_recipe_error_names_file_and_key(shelf: Shelf, ck_home: Path, steps: list[Any], why: str) -> None:
    entry = shelf.package("faulty", *steps, files={"x": ""})
    with pytest.raises(CKError, match=why) as caught:
        shelf.install("faulty")
    assert str(entry.path) in str(caught.value)
    assert visible(ck_home) == []


def test_fetched_files_are_recorded(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "f.bin").write_bytes(b"content")
    url, digest = (tmp_path / "f.bin").as_uri(), hashlib.sha256(b"content").hexdigest()
    shelf.package("data", {"download": {"url": url, "sha256": digest}}, file="f.bin")
    meta = shelf.install("data")
    assert meta["downloads"] == [{"urls": [url], "size": 7, "sha256": digest}]
    assert json.loads(Path(meta["path"], ".ck-install.json").read_text())["digest"] == digest

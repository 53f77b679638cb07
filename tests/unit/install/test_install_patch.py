"""A recipe's patch is applied without running anything from the patched folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.errors import ConfigError, GitError
from ck_repo.install.patch import apply_patch
from ck_repo.store.unpack import ArchiveError

if TYPE_CHECKING:
    from unit.install.conftest import Shelf

PATCH = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new\n"


def malicious(mark: Path) -> dict[str, str]:
    """Files of a checkout whose filter creates a marker file."""
    command = f"sh -c 'touch {mark}; cat'"
    return {
        "a.txt": "old\n",
        ".gitattributes": "* filter=x\n",
        ".git/HEAD": "ref: refs/heads/main\n",
        ".git/config": f'[core]\n\trepositoryformatversion = 0\n[filter "x"]\n\tclean = "{command}"\n\tsmudge = "{command}"\n',
        ".git/info/attributes": "* filter=x\n",
        ".git/objects/x": "",
        ".git/refs/x": "",
    }


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def tar_step(path: Path, files: dict[str, str]) -> dict[str, Any]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
    path.write_bytes(content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    return {"download": {"url": path.as_uri(), "sha256": digest, "unpack": True}}


def test_git_filters_do_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark, folder, settings = tmp_path / "mark", tmp_path / "folder", tmp_path / "gitconfig"
    write(folder, malicious(mark))
    settings.write_text(f'[filter "x"]\n\tclean = "touch {mark}; cat"\n\tsmudge = "touch {mark}; cat"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    (tmp_path / "p.patch").write_text(PATCH)
    apply_patch(tmp_path / "p.patch", folder)
    assert (folder / "a.txt").read_text() == "new\n"
    assert not mark.exists()
    assert (folder / ".git/HEAD").exists()


def test_patch_outside_folder_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write(tmp_path, {"folder/a.txt": "old\n", "b.txt": "old\n", "p.patch": PATCH.replace("a.txt", "../b.txt")})
    with pytest.raises(GitError):
        apply_patch(tmp_path / "p.patch", folder)
    assert (tmp_path / "b.txt").read_text() == "old\n"


def test_recipe_patches_unpacked_files(shelf: Shelf, tmp_path: Path) -> None:
    step = tar_step(tmp_path / "a.tar", {"a.txt": "old\n"})
    shelf.package("p", step, {"patch": {"file": "p.patch"}}, files={"p.patch": PATCH})
    folder = Path(shelf.install("p")["path"])
    assert (folder / "a.txt").read_text() == "new\n"
    assert not (folder / ".git").exists()


@pytest.mark.parametrize("name", [".git/config", "below/.GIT/config", ".git"])
def test_archive_with_git_folder_is_rejected(shelf: Shelf, tmp_path: Path, name: str) -> None:
    shelf.package("p", tar_step(tmp_path / "a.tar", {name: "[core]\n"}))
    with pytest.raises(ArchiveError, match="git's settings"):
        shelf.install("p")


@pytest.mark.parametrize("kind", ["copy", "move"])
def test_no_step_creates_a_git_folder(shelf: Shelf, kind: str) -> None:
    first = {"copy": {"file": "config"}}
    second = {kind: {"file": "config", "to": ".git/config"}}
    shelf.package("p", first, second, files={"config": "[core]\n"})
    with pytest.raises(ConfigError, match="git folder"):
        shelf.install("p")


def test_git_folder_is_not_copied(shelf: Shelf) -> None:
    entry = shelf.package("p", {"copy": {"folder": "."}})
    write(entry.path, {".git/config": "[core]\n", "a.txt": "hi"})
    folder = Path(shelf.install("p")["path"])
    assert (folder / "a.txt").exists()
    assert not (folder / ".git").exists()

"""The state of a checkout, read without the folder's own git settings."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ck_repo.errors import CKError
from ck_repo.store.entry import read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.folders import default_repository_root
from ck_repo.store.git_command import run_git
from ck_repo.store.git_settings import git_folders, refuse_special, settings_of

# settings that determine how files are compared; they name no program
_COMPARING = ("core.filemode", "core.ignorecase", "core.symlinks", "core.precomposeunicode", "core.autocrlf", "core.eol")
_FORMAT = ("core.repositoryformatversion", "extensions.objectformat", "extensions.refstorage")
BUILT_FROM = ".built_from.json"  # written by setup.py
_PLAIN = re.compile(r"\w*")


@contextmanager
def _view(folder: Path) -> Iterator[dict[str, str] | None]:
    """Variables that make git read a checkout through a separate git folder; None if there is no checkout.

    That folder uses the checkout's HEAD, references, index and objects. Its settings are ours, so filters, monitors and hooks
    of the checkout cannot run.
    """
    found = git_folders(folder)
    if found is None:
        yield None
        return
    own, common = found
    refuse_special(folder)
    settings = dict(settings_of(folder))
    with tempfile.TemporaryDirectory(prefix="ck-git-") as scratch:
        view = Path(scratch)
        kept = [name.split(".") for name in (*_FORMAT, *_COMPARING) if _PLAIN.fullmatch(settings.get(name, "-"))]
        lines = [f"[{section}]\n\t{key} = {settings[f'{section}.{key}']}\n" for section, key in kept]
        (view / "config").write_text("".join(lines), encoding="utf-8")
        (view / "info").mkdir()
        for name, place in (("HEAD", own), ("index", own), ("packed-refs", common), ("info/exclude", common)):
            if (place / name).is_file():
                shutil.copy2(place / name, view / name)  # git needs the index's time: it compares the content of younger files
        for name in ("refs", "reftable"):
            if (common / name).is_dir():
                os.symlink((common / name).resolve(), view / name)
        objects = str((common / "objects").resolve())
        yield {"GIT_DIR": str(view), "GIT_WORK_TREE": str(folder.resolve()), "GIT_OBJECT_DIRECTORY": objects}


def commit_of(folder: Path) -> str:
    """The commit that is checked out, twelve digits; empty without git."""
    try:
        with _view(folder) as variables:
            if variables is None:
                found = _installed_state(folder)
                return found.commit[:12] if found else ""
            return run_git("rev-parse", "--short=12", "HEAD", folder=folder, environment=variables)
    except (CKError, OSError):
        return ""


@dataclass(frozen=True)
class GitState:
    """Whether a folder is under git; if so, its commit, and whether files were changed since.

    Attributes
    ----------
    installed
        Whether it was installed from a wheel of ck; the commit is that of the wheel.
    """

    git: bool = False
    commit: str = ""
    changed: bool = False
    installed: bool = False


def state_of(folder: Path) -> GitState:
    """The record of a repository in an experiment."""
    try:
        with _view(folder) as variables:
            if variables is None:
                return _installed_state(folder) or GitState()
            commit = run_git("rev-parse", "HEAD", folder=folder, environment=variables)
            words = ("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=all", "--", ".")
            changed = run_git(*words, folder=folder, environment=variables)
            return GitState(True, commit, bool(changed))
    except (CKError, OSError):
        return GitState()


def _installed_state(folder: Path) -> GitState | None:
    """The commit that the wheel of ck was built from, stored next to its components; None for other folders."""
    if folder.resolve() != default_repository_root().resolve() or not (folder / BUILT_FROM).is_file():
        return None
    row = Fields(read_json_object(folder / BUILT_FROM), folder / BUILT_FROM)
    return GitState(True, row.needed("commit"), row.flag("changed"), installed=True)


def remote_of(folder: Path) -> str:
    """The URL of a clone's origin; empty if it has none."""
    try:
        return dict(settings_of(folder)).get("remote.origin.url", "")
    except (CKError, OSError):
        return ""

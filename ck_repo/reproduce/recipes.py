"""Recipes of other repositories in a lock: pack them, and import them elsewhere as repositories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ck_repo.environment.collect import entry_of
from ck_repo.environment.lockfile import Lock, LockedComponent
from ck_repo.errors import ConflictError, MismatchError
from ck_repo.session import Session
from ck_repo.store.archive import refuse_double_uids, refuse_other_machine
from ck_repo.store.atomic import copy_folder, publish_folder, storage_errors
from ck_repo.store.digest import of_files
from ck_repo.store.entry import META
from ck_repo.store.fields import Fields
from ck_repo.store.folders import default_repository_root, repos_root, tools_root
from ck_repo.store.plain_file import is_folder, shown, walk
from ck_repo.store.repositories import LOCAL
from ck_repo.store.repository import DESCRIPTION, check_name, read_repository, write_description
from ck_repo.store.uid import uid_from_digest
from ck_repo.store.work import remove_folder, scratch_folder

RECIPES = "repositories"  # folder in a bundle, and in the artifacts of an experiment


def foreign_recipe(session: Session, row: LockedComponent) -> bool:
    """Whether the recipe of a component belongs to another repository than ours."""
    entry = entry_of(session, row.module, row.uid) if row.uid else None
    return entry is not None and entry.path.parent.parent != default_repository_root()


def gather_recipe(session: Session, row: LockedComponent) -> dict[str, Path]:
    """The files of another repository's recipe by their names in an archive, including the repository's description."""
    entry = entry_of(session, row.module, row.uid)
    if entry is None:
        return {}
    root = entry.path.parent.parent
    base = f"{RECIPES}/{entry.repository}"
    rows = {f"{base}/{DESCRIPTION}": root / DESCRIPTION}
    names = [entry.path, *(root / name for name in Fields(entry.meta(), entry.path / META).texts("uses"))]
    names += [*(root / ".cm").glob("alias-*"), *(entry.path.parent / ".cm").glob("alias-*")]
    for path in (each for name in names for each in ([name] if name.is_file() else sorted(name.rglob("*")))):
        if path.is_file() and not path.is_symlink() and not {".git", "__pycache__"} & set(path.parts):
            rows[f"{base}/{path.relative_to(root).as_posix()}"] = path
    return rows


def gather_recipes(session: Session, lock: Lock) -> dict[str, Path]:
    """The same for every such recipe of a lock."""
    foreign = [row for row in lock.components if foreign_recipe(session, row)]
    return {name: path for row in foreign for name, path in gather_recipe(session, row).items()}


@contextmanager
def recipes_of_experiment(session: Session, folder: Path) -> Iterator[None]:
    """Add the repositories from an experiment, which may be untrusted: only regular files are used.

    Parameters
    ----------
    folder
        Folder of the experiment's artifacts.
    """
    if not is_folder(folder, RECIPES):
        yield
        return
    source = folder / RECIPES
    if odd := next((each for each in walk(source) if each.flaw), None):
        raise MismatchError(f"{shown(source / odd.name)} is {odd.flaw}", hint="unpack the archive again: it was changed")
    with scratch_folder(tools_root(), "recipes") as scratch:
        with storage_errors(f"reading {source}"):
            copy_folder(source, scratch / RECIPES)
        with recipes_brought_in(session, scratch / RECIPES):
            yield


@contextmanager
def recipes_brought_in(session: Session, folder: Path) -> Iterator[None]:
    """Add the repositories of an archive that are missing here; nothing in them is run without --trust.

    If the next steps fail, they are removed again.

    Parameters
    ----------
    folder
        Has a folder for each repository, which is moved.
    """
    added: list[Path] = []
    try:
        have = {row.uid for row in session.repositories.all()}
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            check_name(path.name)
            refuse_other_machine(path, path)
            refuse_double_uids(path, path)
            place = _of_another_user(path) if path.name == LOCAL else path
            uid, final = read_repository(place).uid, repos_root() / place.name
            if uid in have:
                continue
            _refuse_taken(session, place.name)
            if publish_folder(place, final):
                added.append(final)
            elif read_repository(final).uid != uid:  # another process added a different repository of that name first
                _refuse_taken(session, place.name)
        session.repositories.forget_cache()
        yield
    except BaseException:
        for path in added:
            remove_folder(path)
        session.repositories.forget_cache()
        raise


def _of_another_user(path: Path) -> Path:
    """Name recipes of another user's `local` after their content, because this user has a `local`, too."""
    digest = of_files(path)
    place = path.with_name(f"{LOCAL}-{digest[:8]}")
    path.rename(place)
    write_description(place, place.name, uid=uid_from_digest(digest))
    return place


def _refuse_taken(session: Session, alias: str) -> None:
    """Refuse the name of an existing repository."""
    folder = repos_root() / alias
    if not folder.exists() and all(row.alias != alias for row in session.repositories.all()):
        return
    other_name = f"rename it on the other machine, in {DESCRIPTION} and its folder's name, and create the archive again"
    here = f"rename the folder {folder} of this machine, or " if folder.exists() and alias != LOCAL else ""
    raise ConflictError(f"the repository {alias} of the archive is not the {alias} of this machine", hint=f"{here}{other_name}")

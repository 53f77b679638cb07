"""Add, change, copy, rename, move and remove entries."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ck_repo.errors import ConflictError
from ck_repo.store.atomic import publish_folder, remove_folder, storage_errors, write_json, write_text
from ck_repo.store.entry import INFO, META, Entry, link_alias, uid_file, unlink_alias, write_entry
from ck_repo.store.modules import module_uid
from ck_repo.store.repositories import Repositories, Repository, check_name
from ck_repo.store.uid import is_uid, new_uid


def create_entry(
    repositories: Repositories,
    repository: Repository,
    module: str,
    alias: str,
    meta: dict[str, Any],
    *,
    uid: str = "",
    name: str = "",
    replace: bool = False,
) -> Entry:
    """Write a new entry; it is there whole or not at all.

    Without an alias the entry goes by its UID.
    """
    uid = uid or (alias if is_uid(alias) else new_uid())
    folder = module_folder(repository, module) / (alias or uid)
    check_name(folder.name)
    staging = stage(folder)
    write_entry(staging, uid, meta, module=module, module_uid=module_uid(module), name=name or folder.name)
    return publish(repository, module, staging, folder, uid, replace=replace)


def stage(folder: Path) -> Path:
    """An empty folder beside `folder`, to be filled and then published under that name."""
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    with storage_errors(f"writing {folder}"):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    return staging


def publish(repository: Repository, module: str, staging: Path, folder: Path, uid: str, *, replace: bool = False) -> Entry:
    """Give a staged entry its name."""
    if replace and folder.exists():
        remove_folder(folder)
    if folder.exists():
        shutil.rmtree(staging, ignore_errors=True)
        raise ConflictError(
            f"{module}:{folder.name} exists already in {repository.alias}", hint="choose another name, or remove it"
        )
    publish_folder(staging, folder)
    link_alias(folder, uid)
    return Entry(repository.alias, module, folder.name, uid, folder)


def module_folder(repository: Repository, module: str) -> Path:
    """The module's folder, made with its alias files if it is not there."""
    folder = repository.module_folder(module)
    check_name(module)
    if not (folder / ".cm").is_dir():
        with storage_errors(f"writing {folder}"):
            (folder / ".cm").mkdir(parents=True, exist_ok=True)
        write_text(repository.path / ".cm" / f"alias-a-{module}", module_uid(module) + "\n")
        write_text(repository.path / ".cm" / f"alias-u-{module_uid(module)}", module + "\n")
    return folder


def update_entry(entry: Entry, changes: dict[str, Any], *, replace: bool = False) -> dict[str, Any]:
    """Merge `changes` into the entry's meta (nested objects too), or put them in its place."""
    meta = changes if replace else merged(entry.meta(), changes)
    write_json(entry.path / META, meta)
    return meta


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, object by object.

    >>> merged({"a": {"b": 1}}, {"a": {"c": 2}})
    {'a': {'b': 1, 'c': 2}}
    """
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def copy_entry(entry: Entry, repository: Repository, module: str, alias: str) -> Entry:
    """Copy an entry under another name; the copy has a UID of its own."""
    uid = new_uid()
    folder = module_folder(repository, module) / (alias or uid)
    check_name(folder.name)
    staging = stage(folder)
    with storage_errors(f"copying {entry.cid}"):
        shutil.copytree(entry.path, staging, dirs_exist_ok=True, symlinks=True)
    _rewrite_uid(staging, uid, folder.name)
    return publish(repository, module, staging, folder, uid)


def move_entry(entry: Entry, repository: Repository, module: str, alias: str, *, new_identity: bool = False) -> Entry:
    """Move or rename an entry; it keeps its UID unless a new one is asked for."""
    uid = new_uid() if new_identity else entry.uid
    folder = module_folder(repository, module) / (alias or uid)
    check_name(folder.name)
    if folder == entry.path and not new_identity:
        return entry
    if folder != entry.path and folder.exists():
        raise ConflictError(f"{module}:{folder.name} exists already in {repository.alias}", hint="choose another name")
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    with storage_errors(f"moving {entry.cid}"):
        shutil.move(entry.path, staging)
    shared = uid_file(entry.path.parent, entry.uid)
    keep = shared.read_text() if shared.exists() and shared.read_text().strip() != entry.alias else None
    unlink_alias(entry.path, entry.uid)
    if keep is not None:  # another entry has this UID too, and its alias file stays
        write_text(shared, keep)
    _rewrite_uid(staging, uid, folder.name)
    return publish(repository, module, staging, folder, uid)


def _rewrite_uid(folder: Path, uid: str, name: str) -> None:
    from ck_repo.store.entry import read_json_object

    info = read_json_object(folder / INFO) if (folder / INFO).exists() else {}
    write_json(folder / INFO, info | {"backup_data_uid": uid, "data_name": name})


def remove_entry(entry: Entry) -> None:
    """Remove an entry and its alias files."""
    remove_folder(entry.path)
    unlink_alias(entry.path, entry.uid)

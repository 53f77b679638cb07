"""Add, change, copy, rename, move and remove entries."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ck_repo.errors import ConflictError
from ck_repo.store.atomic import publish_folder, remove_folder, storage_errors, write_json, write_text
from ck_repo.store.entry import (
    INFO,
    META,
    Entry,
    alias_file,
    link_alias,
    read_alias_file,
    read_json_object,
    read_uid,
    uid_file,
    unlink_alias,
    write_entry,
)
from ck_repo.store.modules import module_uid
from ck_repo.store.plain_file import UnreadableError
from ck_repo.store.repository import Repository, check_name
from ck_repo.store.uid import is_uid, new_uid


def create_entry(
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
    check_name(alias or uid)
    folder = module_folder(repository, module) / (alias or uid)
    refuse_taken_uid(folder, uid)
    with staged(folder) as staging:
        write_entry(staging, uid, meta, module=module, module_uid=module_uid(module), name=name or folder.name)
        return publish(repository, module, staging, folder, uid, replace=replace)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, to be filled and then published under that name; if that fails nothing is left."""
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    with storage_errors(f"writing {folder}"):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    try:
        with storage_errors(f"writing {folder}"):
            yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(repository: Repository, module: str, staging: Path, folder: Path, uid: str, *, replace: bool = False) -> Entry:
    """Give a staged entry its name; one that is to be replaced is there until the new one is."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.removed")
    if replace and (folder / META).exists():
        old = read_uid(folder)
        os.rename(folder, aside)
        try:
            os.rename(staging, folder)
        except BaseException:
            os.rename(aside, folder)
            raise
        unlink_alias(folder, old)
        shutil.rmtree(aside, ignore_errors=True)
    elif folder.exists() or not publish_folder(staging, folder):
        raise ConflictError(
            f"{module}:{folder.name} exists already in {repository.alias}", hint="choose another name, or remove it"
        )
    link_alias(folder, uid)
    return Entry(repository.alias, module, folder.name, uid, folder, repository.uid, repository.module_uid(module))


def refuse_taken_uid(folder: Path, uid: str) -> None:
    """No two entries of a module have one UID."""
    try:
        other = read_alias_file(uid_file(folder.parent, uid))
    except UnreadableError:
        other = uid
    if other != folder.name and (folder.parent / other / META).exists():
        raise ConflictError(f"{folder.parent.name}:{other} has the UID {uid} already", hint="leave out --data_uid")


def module_folder(repository: Repository, module: str) -> Path:
    """The module's folder, made with its alias files if it is not there."""
    check_name(module)
    folder = repository.module_folder(module)
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
    check_name(alias or uid)
    folder = module_folder(repository, module) / (alias or uid)
    with staged(folder) as staging:
        shutil.copytree(entry.path, staging, dirs_exist_ok=True, symlinks=True)
        _rewrite_info(staging, uid, folder.name, module)
        return publish(repository, module, staging, folder, uid)


def move_entry(entry: Entry, repository: Repository, module: str, alias: str, *, new_identity: bool = False) -> Entry:
    """Move or rename an entry; it keeps its UID unless a new one is asked for."""
    uid = new_uid() if new_identity else entry.uid
    if new_identity and alias == entry.uid:  # it goes by its UID
        alias = ""
    check_name(alias or uid)
    folder = module_folder(repository, module) / (alias or uid)
    if folder == entry.path and not new_identity:
        return entry
    if folder != entry.path and folder.exists():
        raise ConflictError(f"{module}:{folder.name} exists already in {repository.alias}", hint="choose another name")
    with staged(folder) as staging:
        shutil.copytree(entry.path, staging, dirs_exist_ok=True, symlinks=True)
        _rewrite_info(staging, uid, folder.name, module)
        moved = publish(repository, module, staging, folder, uid, replace=folder == entry.path)
    if folder != entry.path:  # the copy is in place: only now the old one goes
        remove_folder(entry.path)
        alias_file(entry.path.parent, entry.alias).unlink(missing_ok=True)
        old = uid_file(entry.path.parent, entry.uid)
        with suppress(UnreadableError):
            if read_alias_file(old) == entry.alias:
                old.unlink()
    return moved


def _rewrite_info(folder: Path, uid: str, name: str, module: str) -> None:
    info = read_json_object(folder / INFO) if (folder / INFO).exists() else {}
    names = {"backup_data_uid": uid, "backup_module_uoa": module, "backup_module_uid": module_uid(module), "data_name": name}
    write_json(folder / INFO, info | names)


def remove_entry(entry: Entry) -> None:
    """Remove an entry and its alias files."""
    remove_folder(entry.path)
    unlink_alias(entry.path, entry.uid)

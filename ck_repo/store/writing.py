"""Add, change, copy, rename, move and remove entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import ConflictError
from ck_repo.store.atomic import copy_folder, storage_errors, write_json, write_text
from ck_repo.store.entry import INFO, META, Entry, read_alias_file, read_json_object, read_uid, uid_file, write_entry
from ck_repo.store.modules import folder_uid
from ck_repo.store.plain_file import UnreadableError
from ck_repo.store.repository import Repository, check_name
from ck_repo.store.steps import Describe, Link, Rename, Step, Unlink
from ck_repo.store.uid import is_uid, new_uid
from ck_repo.store.work import Work, committing, working


def create_entry(
    repository: Repository,
    module: str,
    alias: str,
    meta: Mapping[str, object],
    *,
    uid: str = "",
    name: str = "",
    replace: bool = False,
    files: Mapping[str, str] | None = None,
) -> Entry:
    """Write a new entry atomically.

    Without an alias the entry is named by its UID.

    Parameters
    ----------
    uid
        A new one if empty.
    name
        The title in info.json; the alias if empty.
    replace
        Whether to replace an existing entry.
    files
        The text of other files by name.

    Raises
    ------
    ConflictError
        If the name or the UID is taken.
    UsageError
        If the name is invalid.
    StorageError
        If the disk does not accept it; nothing is changed then.
    """
    uid = uid or (alias if is_uid(alias) else new_uid())
    check_name(alias or uid)
    folder = module_folder(repository, module) / (alias or uid)
    refuse_taken_uid(folder, uid, hint="omit --data_uid for a new one")
    with staged(folder) as staging:
        named = folder.parent.name
        write_entry(staging, uid, meta, module=named, module_uid=folder_uid(named), name=name or folder.name)
        for file_name, text in (files or {}).items():
            write_text(staging / file_name, text)
        return publish(repository, named, staging, folder, uid, replace=replace)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """An empty folder next to `folder`, to be filled and then renamed to it; on an error it is removed."""
    with storage_errors(f"writing {folder}"), working() as work:
        staging = work.beside(folder)
        staging.mkdir(parents=True)
        yield staging


def publish(repository: Repository, module: str, staging: Path, folder: Path, uid: str, *, replace: bool = False) -> Entry:
    """Rename a staged entry to its final name.

    Parameters
    ----------
    staging
        The complete entry. With `replace` the old one is here afterwards; until the exchange, one of them has the final name.
    folder
        The final name.

    Raises
    ------
    ConflictError
        If the name or the UID is taken.
    StorageError
        If the folder cannot be written.
    """
    with storage_errors(f"writing {folder}"), working() as work, committing():
        refuse_taken_uid(folder, uid)
        old = read_uid(folder) if replace and (folder / META).exists() else ""
        if folder.exists() and not old:
            raise ConflictError(
                f"{module}:{folder.name} already exists in {repository.alias}", hint="choose another name, or remove it"
            )
        work.commit(
            [
                Rename.of(staging, folder),
                Link(str(folder.parent), folder.name, uid, before=old),
                *([Unlink(str(folder.parent), folder.name, old)] if old not in ("", uid) else []),
            ]
        )
    return Entry(repository.alias, module, folder.name, uid, folder, repository.uid, repository.module_uid(module))


def refuse_taken_uid(folder: Path, uid: str, besides: Path | None = None, hint: str = "") -> None:
    """Refuse a UID that another entry of the module has.

    Parameters
    ----------
    folder
        The folder of the new entry.
    besides
        The folder of an entry that may have it.
    hint
        What to do, in place of the usual advice.

    Raises
    ------
    ConflictError
        If another entry has it.
    """
    try:
        other = read_alias_file(uid_file(folder.parent, uid))
    except UnreadableError:
        other = uid
    if folder.parent / other != besides and other != folder.name and (folder.parent / other / META).exists():
        raise ConflictError(
            f"{folder.parent.name}:{other} already has the UID {uid}",
            hint=hint or f"UIDs are unique: `ck rm {folder.parent.name}:{other}` removes the other entry",
        )


def module_folder(repository: Repository, module: str) -> Path:
    """The module's folder, created with its alias files if necessary."""
    check_name(module)
    folder = repository.module_folder(module)
    if not (folder / ".cm").is_dir():
        names = repository.path / ".cm"
        with storage_errors(f"writing {folder}"), working() as work:
            by_name, by_uid = names / f"alias-a-{module}", names / f"alias-u-{folder_uid(module)}"
            work.writes(by_name, by_uid)
            write_text(by_name, folder_uid(module) + "\n")
            write_text(by_uid, module + "\n")
            (folder / ".cm").mkdir(parents=True, exist_ok=True)  # last, because it confirms the other files
    return folder


def update_entry(entry: Entry, changes: Mapping[str, object], *, replace: bool = False) -> Mapping[str, object]:
    """Merge changes into the entry's meta (including nested objects), or replace the meta by them.

    The meta is read again under the lock of all changes, so that no update of another process is lost.

    Returns
    -------
    Mapping
        The new meta.

    Raises
    ------
    CKError
        If the entry is gone, or its meta cannot be read or written.
    """
    with working() as work, committing():
        work.writes(entry.path / META)
        refuse_gone(entry)
        meta = changes if replace else merged(entry.meta(), changes)
        write_json(entry.path / META, meta)
    return meta


def refuse_gone(entry: Entry) -> None:
    """Check an entry that was found before the lock was acquired: it may have been renamed or removed."""
    if not (entry.path / META).exists() or read_uid(entry.path) != entry.uid:
        raise ConflictError(
            f"another process has renamed, replaced or removed {entry.cid}", hint=f"`ck ls {entry.module}` lists what there is"
        )


def merged(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """`base` updated with `changes`, recursively.

    >>> merged({"a": {"b": 1}}, {"a": {"c": 2}})
    {'a': {'b': 1, 'c': 2}}
    """
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def copy_entry(entry: Entry, repository: Repository, module: str, alias: str) -> Entry:
    """Copy an entry; the copy gets a new UID.

    Parameters
    ----------
    alias
        Its name; empty for its UID.

    Raises
    ------
    ConflictError
        If there is an entry of this name.
    """
    uid = new_uid()
    check_name(alias or uid)
    folder = module_folder(repository, module) / (alias or uid)
    with staged(folder) as staging:
        left = _copy(entry, staging, uid, folder)
        if left:
            progress.say(f"{entry.cid}: not copied: {', '.join(left[:5])}{_more(left)}")
        return publish(repository, folder.parent.name, staging, folder, uid)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 5} more" if len(names) > 5 else ""


def _copy(entry: Entry, staging: Path, uid: str, folder: Path, *, links_out: bool = False) -> list[str]:
    """Copy the content of an entry; return what was skipped."""
    try:
        left = copy_folder(entry.path, staging, links_out=links_out)
    except FileNotFoundError:
        refuse_gone(entry)
        raise
    info = read_json_object(staging / INFO) if (staging / INFO).exists() else {}
    write_json(staging / INFO, info | _names(uid, folder))
    return left


def move_entry(entry: Entry, repository: Repository, module: str, alias: str, *, new_identity: bool = False) -> Entry:
    """Move or rename an entry.

    Within a file system the folder is renamed, which needs no space; to another file system it is copied first.

    Parameters
    ----------
    alias
        The new name; empty for the UID.
    new_identity
        Give it a new UID.

    Raises
    ------
    ConflictError
        If name or UID is taken.
    CKError
        If the entry is gone.
    """
    uid = new_uid() if new_identity else entry.uid
    if new_identity and alias == entry.uid:  # the entry's alias is its UID
        alias = ""
    check_name(alias or uid)
    folder = module_folder(repository, module) / (alias or uid)
    if folder == entry.path and not new_identity:
        return entry
    with storage_errors(f"writing {folder}"), working() as work:
        copied = _copied(entry, folder, work, uid)
        with committing():
            refuse_gone(entry)
            if folder != entry.path:
                refuse_taken_uid(folder, uid, besides=entry.path)
                if folder.exists():
                    raise ConflictError(
                        f"{module}:{folder.name} already exists in {repository.alias}", hint="choose another name"
                    )
            work.commit(_moving(entry, folder, work, uid, copied))
    named = folder.parent.name
    return Entry(repository.alias, named, folder.name, uid, folder, repository.uid, repository.module_uid(named))


def _copied(entry: Entry, folder: Path, work: Work, uid: str) -> Path | None:
    """A copy next to `folder` if that is on another file system than the entry."""
    try:
        same_disk = folder.parent.stat().st_dev == entry.path.stat().st_dev
    except FileNotFoundError:
        refuse_gone(entry)
        raise
    if same_disk:
        return None
    staging = work.beside(folder)
    if left := _copy(entry, staging, uid, folder, links_out=True):
        raise ConflictError(
            f"{entry.cid} cannot be moved to another file system: {', '.join(left[:5])}{_more(left)}",
            hint="remove the listed files, or move the entry within its file system",
        )
    return staging


def _moving(entry: Entry, folder: Path, work: Work, uid: str, copied: Path | None) -> list[Step]:
    link = Link(str(folder.parent), folder.name, uid, before=entry.uid if folder == entry.path else "")
    unlink = Unlink(str(entry.path.parent), entry.alias, entry.uid)
    if copied:
        doomed = work.beside(entry.path, "removed")
        return [Rename.of(copied, folder), link, Rename.of(entry.path, doomed, entry.uid), unlink]
    info = entry.info()
    names = _names(uid, folder)
    before = {key: info.get(key, "") for key in names}
    rename = [Rename.of(entry.path, folder, entry.uid)] if folder != entry.path else []
    return [*rename, link, Describe(str(folder), names, before), unlink]


def _names(uid: str, folder: Path) -> dict[str, str]:
    """The names in the info.json of the entry in `folder`."""
    module = folder.parent.name
    return {
        "backup_data_uid": uid, "backup_module_uoa": module, "backup_module_uid": folder_uid(module), "data_name": folder.name,
    }  # fmt: skip


def remove_entry(entry: Entry) -> None:
    """Remove an entry and its alias files."""
    with storage_errors(f"removing {entry.path}"), working(freeing=True) as work, committing():
        refuse_gone(entry)
        doomed = work.beside(entry.path, "removed")
        work.commit([Rename.of(entry.path, doomed, entry.uid), Unlink(str(entry.path.parent), entry.alias, entry.uid)])

"""The names of an entry (by alias and by UID), and the entry that contains a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ck_repo.errors import NotFoundError
from ck_repo.store.entry import META, Entry, read_uid
from ck_repo.store.modules import folder_uid
from ck_repo.store.repositories import LOCAL, Repositories, default_repository_alias
from ck_repo.store.repository import Repository


def uid_names(repositories: Repositories, entry: Entry) -> dict[str, str]:
    """The four names that CK has for an entry.

    Returns
    -------
    dict
        ``cuoa`` (module:entry) and ``xcuoa`` (repository:module:entry) by aliases, ``cid`` and ``xcid`` by UIDs.
    """
    repository = repositories.get(entry.repository)
    cid = f"{folder_uid(entry.module)}:{entry.uid}"
    return {
        "cuoa": entry.cid,
        "cid": cid,
        "xcuoa": f"{entry.repository}:{entry.cid}",
        "xcid": f"{repository.uid}:{cid}",
    }


def unambiguous_names(repositories: Repositories, entries: Sequence[Entry]) -> list[str]:
    """``module:entry`` if this name finds the entry in `local` or in our own components; else with the repository."""
    own = {LOCAL, default_repository_alias()}
    return [
        entry.cid
        if entry.repository in own and _first_with(repositories, entry) == entry.repository
        else f"{entry.repository}:{entry.cid}"
        for entry in entries
    ]


def _first_with(repositories: Repositories, entry: Entry) -> str:
    """The first repository with an entry of that module and alias."""
    for row in repositories.all():
        there = (folder / entry.alias / META for folder in row.module_folders(entry.module))
        if row.alias == entry.repository or any(path.exists() for path in there):
            return row.alias
    return entry.repository


def entry_at(repositories: Repositories, folder: Path) -> Entry:
    """The entry that contains a folder.

    Raises
    ------
    NotFoundError
        If no entry of a registered repository contains it.
    """
    folder = folder.resolve()
    for row in sorted(repositories.all(), key=lambda row: len(row.path.parts), reverse=True):  # the innermost repository
        root = row.path.resolve()
        if not folder.is_relative_to(root):
            continue
        parts = folder.relative_to(root).parts
        if len(parts) < 2 or not (root / parts[0] / parts[1] / META).exists():
            break
        path = row.path / parts[0] / parts[1]
        return Entry(row.alias, parts[0], parts[1], read_uid(path), path, row.uid)
    raise NotFoundError(f"{folder} is not inside an entry", hint="give one: `ck cid MODULE:ENTRY`, or change to its folder")


def files_of(entry: Entry) -> list[str]:
    """The entry's own files, relative to its folder, without those of CK (.cm) and git."""
    found = (path.relative_to(entry.path) for path in entry.path.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not {".cm", ".git", "__pycache__"} & set(path.parts))


def count_entries(repository: Repository) -> dict[str, int]:
    """The number of entries in each module of a repository."""
    counts = {}
    for module in repository.modules():
        found = [path for path in repository.module_folder(module).glob(f"*/{META}") if path.parts[-3][0] != "."]
        counts[module] = len(found)
    return {module: count for module, count in counts.items() if count}

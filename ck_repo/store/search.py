"""Search entries by name, UID, wildcard and tags in all repositories."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from ck_repo.errors import CKError, ConflictError, NotFoundError, did_you_mean
from ck_repo.store.entry import BASE, META, Entry, read_alias_file, read_json_object, read_uid, tags_of, uid_file
from ck_repo.store.index import ModuleIndex
from ck_repo.store.modules import STOCK_MODULES, canonical_module, other_names
from ck_repo.store.plain_file import MAXIMUM, UnreadableError, flaw, shown
from ck_repo.store.query import TagQuery, is_pattern
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import Repository
from ck_repo.store.uid import is_uid
from ck_repo.store.warnings_once import Problems, warn_once

_MAX_BASES = 10  # maximum length of a chain of inheritance, as in stock CK


def module_names(repositories: Repositories) -> list[str]:
    """Every module that has entries in some repository."""
    return sorted({module for row in repositories.all() for module in row.modules()})


def find(
    repositories: Repositories,
    module: str,
    pattern: str = "",
    *,
    repository: str = "",
    tags: str = "",
    text: str = "",
    variations: bool = False,
) -> list[Entry]:
    """Entries of a module that match.

    Parameters
    ----------
    module
        A module's name, which may have wildcards.
    pattern
        An alias, a UID, a name with wildcards, or empty for all.
    repository
        The repositories to search, by name or wildcards; all if empty.
    tags
        ``a,b,-c``: with a and b, without c.
    text
        Text that the name or a tag has to contain.
    variations
        Whether to include the tags of a package's variations.
    """
    query = TagQuery.parse(tags)
    found: list[Entry] = []
    for row in _chosen(repositories, repository):
        modules = [name for name in row.modules() if _has_name(name, module)] if is_pattern(module) else [module]
        for name in modules:
            for folder in row.module_folders(name):
                found += _in_folder(repositories, row, folder, pattern, query, text, variations)
    return found


def _has_name(module: str, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern or "*") for name in (module, *other_names(module)))


def _chosen(repositories: Repositories, pattern: str) -> list[Repository]:
    if is_pattern(pattern):
        return [row for row in repositories.all() if fnmatchcase(row.alias, pattern or "*")]
    return [repositories.get(pattern)]


def _in_folder(
    repositories: Repositories,
    row: Repository,
    folder: Path,
    pattern: str,
    query: TagQuery,
    text: str,
    variations: bool,
) -> list[Entry]:
    module = folder.name
    if query.required or query.excluded or text:
        index = ModuleIndex(folder)
        try:
            names = index.with_tags(query, variations=variations)
            if heirs := set(index.with_key(BASE)):  # the index only has their own tags: the base may be in any folder
                named = {name for name in heirs if query.matches(_inherited(repositories, module, folder / name))}
                names = sorted((set(names) - heirs) | named)
            if text:
                names = sorted(set(names) & set(index.containing(text)))
            warn_once(row.alias, module, index.problems())
        finally:
            index.close()
        if pattern:
            alias = _alias_of(folder, pattern)
            names = [name for name in names if fnmatchcase(name, pattern) or name == alias]
    elif is_pattern(pattern):
        names, problems = _readable(folder)
        warn_once(row.alias, module, problems)
        names = [name for name in names if fnmatchcase(name, pattern or "*")]
    else:
        names = [name for name in [_alias_of(folder, pattern)] if name]
    strict = bool(pattern) and not is_pattern(pattern)
    return list(_entries(row, module, folder, names, strict=strict))


def _inherited(repositories: Repositories, module: str, folder: Path) -> frozenset[str]:
    """The tags of an entry: its own, or those of the first ancestor that has some.

    As in stock CK, a list of the entry replaces that of its base. A missing or unreadable base has no tags.
    """
    for _ in range(_MAX_BASES):
        try:
            meta = read_json_object(folder / META)
            if "tags" in meta:
                return frozenset(tags_of(meta, folder / META))
            before, _, name = str(meta.get(BASE) or "").strip().rpartition(":")
            module = canonical_module(before.rpartition(":")[2] or module)
            if not name:
                break
            folder = load(repositories, module, name).path
        except CKError:
            break
    return frozenset()


def _entries(row: Repository, module: str, folder: Path, names: list[str], *, strict: bool) -> Iterator[Entry]:
    module_uid = row.module_uid(module) if names else ""
    problems = Problems()
    for name in names:
        try:
            yield Entry(row.alias, module, name, read_uid(folder / name), folder / name, row.uid, module_uid)
        except CKError as error:
            if strict:
                raise
            problems.add(row.alias, module, error.what)
    problems.warn()


def entries_and_problems(repository: Repository, module: str) -> tuple[list[Entry], list[str]]:
    """Every entry of a module in one repository, and the problems of entries with invalid names."""
    folder = repository.module_folder(module)
    entries, problems = [], []
    module_uid = repository.module_uid(module)
    for name in _names(folder) if folder.is_dir() else []:
        try:
            place = folder / name
            entries.append(Entry(repository.alias, folder.name, name, read_uid(place), place, repository.uid, module_uid))
        except CKError as error:
            problems.append(error.what)
    return entries, problems


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as rows:
        names = sorted(
            row.name for row in rows if not row.name.startswith(".") and os.path.exists(os.path.join(row.path, META))
        )
    odd = [f"{name!a} in {folder} is not a valid name for an entry" for name in names if not name.isprintable()]
    warn_once(str(folder.parent), folder.name, odd)
    return [name for name in names if name.isprintable()]


def _readable(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the entries of a folder with a readable meta.json, and the problems of the others."""
    found, problems = [], []
    with os.scandir(folder) as rows:
        names = sorted(row.name for row in rows if not row.name.startswith("."))
    for name in names:
        path = folder / name / META
        try:
            mode = os.lstat(path)
        except OSError:
            continue
        plain = stat.S_ISREG(mode.st_mode) and mode.st_size <= MAXIMUM
        why = "" if plain else flaw(folder / name, path, maximum=MAXIMUM)
        if not name.isprintable():
            problems.append(f"{folder}: {shown(name)} is not a valid name for an entry")
        elif why:
            problems.append(f"{shown(path)} is not read: it is {why}")
        else:
            found.append(name)
    return found, problems


def _alias_of(folder: Path, name: str) -> str:
    """The folder's name for an alias or a UID; empty if there is none."""
    if name != os.path.basename(name) or name in (".", "..") or len(name) > 255 or not name.isprintable():
        return ""  # not a valid name for an entry
    if (folder / name / META).exists():
        return name
    if not is_uid(name):
        return ""
    try:
        alias = read_alias_file(uid_file(folder, name))
        if alias and (folder / alias / META).exists() and read_uid(folder / alias) == name:
            _refuse_double(folder, name)
            return alias
    except UnreadableError:
        pass
    index = ModuleIndex(folder)  # the alias file is missing, but the index has the UIDs
    try:
        rows = index.with_uid(name)
    finally:
        index.close()
    if len(rows) > 1:
        _refuse_double(folder, name)
    return rows[0] if rows else ""


def _refuse_double(folder: Path, uid: str) -> None:
    index = ModuleIndex(folder)
    try:
        rows = index.with_uid(uid)
    finally:
        index.close()
    if len(rows) > 1:
        raise ConflictError(
            f"{folder}: {' and '.join(rows)} have the same UID {uid}",
            hint="use the entry's alias, and give one of them a new UID with `ck ren … --new_uid`",
        )


def load(repositories: Repositories, module: str, name: str, repository: str = "") -> Entry:
    """The entry of that name in the first repository that has it; if there is none, the error lists similar names.

    Raises
    ------
    NotFoundError
        If there is no such entry.
    """
    found = find(repositories, module, name, repository=repository)
    if found:
        return found[0]
    hint = suggest(repositories, module, name, repository)
    raise NotFoundError(f"there is no {module}:{name}" + (f" in {repository}" if repository else ""), hint=hint)


def suggest(repositories: Repositories, module: str, name: str, repository: str = "") -> str:
    """Where else the name exists, else similar names; for a UID, what else has it."""
    elsewhere = [entry.repository for entry in find(repositories, module, name)] if repository else []
    if elsewhere:
        return f"it is in {' and in '.join(elsewhere)}"
    modules = module_names(repositories)
    if module not in {*modules, *STOCK_MODULES}:
        return did_you_mean(module, modules)
    if is_uid(name):
        own = canonical_module(name)
        also = f"{name} is the UID of the module {own}; " if own != name else ""
        return f"{also}`ck ls {module} --print_uid` lists the entries with their UIDs"
    return did_you_mean(name, [entry.alias for entry in find(repositories, module, repository=repository)])


def known_tags(repositories: Repositories, module: str, repository: str = "") -> set[str]:
    """Every tag in use in a module, in one repository or in all."""
    tags: set[str] = set()
    for row in _chosen(repositories, repository):
        for folder in row.module_folders(module):
            index = ModuleIndex(folder)
            tags.update(index.tags())
            index.close()
    return tags

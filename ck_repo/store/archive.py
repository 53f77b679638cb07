"""Entries and repositories as zip files, as CK packs them: ``<module>/<entry>/…`` with the alias files."""

from __future__ import annotations

import os
import re
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ck_repo.errors import ConfigError, ConflictError, NotFoundError
from ck_repo.store.atomic import copy_folder, publish_folder, storage_errors, write_json
from ck_repo.store.entry import META, Entry, alias_file, read_alias_file, read_json_object, read_uid, uid_file
from ck_repo.store.folders import repos_root
from ck_repo.store.modules import RECIPES, canonical_module
from ck_repo.store.plain_file import UnreadableError, flaw, opened
from ck_repo.store.repositories import LOCAL, Repositories
from ck_repo.store.repository import DESCRIPTION, Repository, check_name, read_repository
from ck_repo.store.uid import new_uid
from ck_repo.store.unpack import ArchiveError, Progress, unpack
from ck_repo.store.work import scratch_folder, writing_file
from ck_repo.store.writing import module_folder, publish, refuse_taken_uid, staged

_IN_MAKING = re.compile(r"\.(run|failed|lock)-|\.bin$|\..*\.(new|removed|old|lock)$")  # unfinished files and locks
_FIRST, _LAST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # the dates that a zip file can store
# modules whose entries refer to folders of this machine, or hold its private keys
_OF_THIS_MACHINE = frozenset({"venv", "env", "repo", "cluster"})


def pack_entries(
    entries: Sequence[Entry], output: Path, *, overwrite: bool = False, more: Mapping[str, Path] | None = None
) -> int:
    """Pack entries into the zip file `output`; return the number of files.

    Parameters
    ----------
    more
        Additional files, by their names in the archive.

    Raises
    ------
    NotFoundError
        If there are no entries.
    ConflictError
        If two have the same name in the archive, or the file exists.
    """
    if not entries:
        raise NotFoundError("nothing to pack: no entry matches")
    rows: dict[str, Path] = {}
    seen: dict[str, Path] = {}
    for entry in entries:
        if entry.cid in seen:
            raise ConflictError(
                f"two entries are called {entry.cid}: {seen[entry.cid]} and {entry.path}",
                hint="give the repository: REPO:MODULE:ENTRY",
            )
        seen[entry.cid] = entry.path
        for path in _files(entry.path):
            rows[f"{entry.module}/{entry.alias}/{path.relative_to(entry.path).as_posix()}"] = path
        home = entry.path.parents[1]
        for path in (alias_file(entry.path.parent, entry.alias), uid_file(entry.path.parent, entry.uid)):
            if not flaw(home, path, links=False):  # regular files only; info.json has the UID, too
                rows[f"{entry.module}/.cm/{path.name}"] = path
        for path in (home / ".cm").glob("alias-*"):
            if entry.module in (path.name.removeprefix("alias-a-"), _alias_of(path)) and not flaw(home, path, links=False):
                rows[f".cm/{path.name}"] = path
    return _pack({**rows, **{name: path.resolve() for name, path in (more or {}).items()}}, output, overwrite)


def _alias_of(path: Path) -> str:
    try:
        return read_alias_file(path)
    except UnreadableError:
        return ""


def pack_repository(row: Repository, output: Path, *, overwrite: bool = False) -> int:
    """Pack a repository, including .ckr.json, without the entries that belong to this machine.

    Parameters
    ----------
    output
        The zip file.

    Returns
    -------
    int
        Number of files in it.

    Raises
    ------
    CKError
        If the file exists and `overwrite` is not set, or it cannot be written.
    """
    rows = {path.relative_to(row.path).as_posix(): path for path in _files(row.path, levels=2)}
    return _pack({name: path for name, path in rows.items() if name.split("/")[0] not in _OF_THIS_MACHINE}, output, overwrite)


def _files(folder: Path, levels: int = 0) -> Iterator[Path]:
    """Every regular file below `folder`, except git's own and unfinished ones.

    Parameters
    ----------
    levels
        Levels of folders that belong to a repository: 2 in a repository (its folder and the modules'), 0 in an entry.
    """
    for base, folders, names in os.walk(folder):
        own = len(Path(base).relative_to(folder).parts) < levels
        folders[:] = [name for name in folders if name not in (".git", "__pycache__") and not (own and _IN_MAKING.match(name))]
        for name in names:
            path = Path(base, name)
            if path.is_file() and not path.is_symlink() and not (_IN_MAKING.match(name) and (own or path.parent.name == ".cm")):
                yield path


def _pack(rows: dict[str, Path], output: Path, overwrite: bool) -> int:
    taken = ConflictError(f"{output} already exists", hint="choose another name with --archive_name=, or use --overwrite")
    if output.exists() and not overwrite:
        raise taken
    with storage_errors(f"writing {output}"):
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                writing_file(output, overwrite=overwrite) as beside,
                zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file,
            ):
                for name in sorted(rows):
                    _add(file, name, rows[name])
        except FileExistsError:  # another process created it first
            raise taken from None
    return len(rows)


def _add(file: zipfile.ZipFile, name: str, path: Path) -> None:
    """Add a regular file with its time and permissions; the target of a link is not added."""
    with opened(path.parent, path.name, maximum=1 << 62, links=False) as source:
        found = os.fstat(source.fileno())
        row = zipfile.ZipInfo(name, min(max(time.localtime(found.st_mtime)[:6], _FIRST), _LAST))
        row.compress_type, row.file_size = zipfile.ZIP_DEFLATED, found.st_size
        row.external_attr = (found.st_mode & 0xFFFF) << 16
        with file.open(row, "w") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)


def unpack_foreign(archive: Path, folder: Path, progress: Progress | None = None) -> None:
    """Unpack an archive that may be untrusted; links are refused."""
    unpack(archive, folder, progress, links=False)


def refuse_other_machine(archive: Path, folder: Path) -> None:
    """Refuse a repository with venvs, installed packages or registrations, which refer to folders of another machine.

    Their programs would run here as trusted ones.

    Parameters
    ----------
    archive
        For the message.
    folder
        The unpacked repository.

    Raises
    ------
    ArchiveError
        If it has a module of this kind.
    """
    for path in sorted(folder.iterdir()):
        if canonical_module(path.name.lower()) in _OF_THIS_MACHINE:
            raise ArchiveError(
                f"{archive} is refused: it holds the module {path.name}, which belongs to another machine",
                hint="to move a venv, use a lock (`ck create venv --lock=`) or a bundle",
            )


def refuse_double_uids(archive: Path, folder: Path) -> None:
    """Refuse a repository in which two entries of a module have the same UID, as one could replace the other.

    Parameters
    ----------
    archive
        For the message.
    folder
        The unpacked repository.

    Raises
    ------
    ArchiveError
        If there are two; the message names both.
    """
    seen: dict[tuple[str, str], str] = {}
    for path in sorted(folder.glob("*/*/" + META)):
        entry = path.parents[1]
        with suppress(ConfigError):
            key = (canonical_module(entry.parent.name), read_uid(entry))
            if key in seen:
                raise ArchiveError(
                    f"{archive} is refused: {key[0]}:{seen[key]} and {key[0]}:{entry.name} have the same UID {key[1]}",
                    hint="give one of them a new UID (`ck ren … --new_uid`) and pack them again",
                )
            seen[key] = entry.name


def unpack_entries(
    archive: Path,
    repositories: Repositories,
    target: Repository,
    module: str = "",
    *,
    everything: bool = False,
    overwrite: bool = False,
) -> tuple[list[Entry], list[str]]:
    """Import the entries of an archive into the repository `target`; existing ones are kept unless `overwrite` is set.

    Recipes (`RECIPES`) are never imported into `local`, which is searched first, because the tags of an untrusted package would
    then match before ours. They are put into a new repository named after the archive, which is searched after ours.

    Parameters
    ----------
    module
        The module whose entries are imported; all if empty.
    everything
        Import entries of other modules, too. Data with the name or UID of an entry in another repository is refused, because
        `local` is searched first.

    Raises
    ------
    ConflictError
        If an entry or a repository with the archive's name already exists; nothing is unpacked then.

    Returns
    -------
    entries, left
        The imported entries, and the names of those that were skipped.
    """
    with scratch_folder(repos_root(), "unzip") as scratch:
        unpack_foreign(archive, scratch)
        refuse_other_machine(archive, scratch)
        refuse_double_uids(archive, scratch)
        asked, others = _entries_of(archive, scratch, module)
        left = [] if everything else [f"{folder.parent.name}:{folder.name}" for folder in others]
        found = sorted([*asked, *others]) if everything else asked
        if not found:
            raise NotFoundError(
                f"{archive} holds no {module}; it holds {', '.join(left[:5])}", hint="--all imports all of them"
            )
        recipes = [folder for folder in found if target.alias == LOCAL and canonical_module(folder.parent.name) in RECIPES]
        own = _new_home(archive, repositories, recipes[0]) if recipes else target.path
        for folder in found:  # check everything before writing anything
            check_name(folder.parent.name)
            check_name(folder.name)
            if folder in others and folder not in recipes:
                _refuse_outranking(archive, repositories, target, folder, read_uid(folder))
        wanted = [_place(folder, target, own if folder in recipes else None) for folder in found]
        taken = [final for _, final, _ in wanted if final.exists()]
        if taken and not overwrite:
            raise ConflictError(
                f"{len(taken)} of the entries already exist, the first is {taken[0].parent.name}:{taken[0].name}",
                hint="nothing was unpacked; --overwrite replaces them",
            )
        home = repositories.add(own.name) if recipes else target
        done = []
        for folder, final, uid in wanted:
            into = home if folder in recipes else target
            module_folder(into, folder.parent.name)
            with staged(final) as staging:
                copy_folder(folder, staging)
                done.append(publish(into, folder.parent.name, staging, final, uid, replace=overwrite))
        return done, left


def _entries_of(archive: Path, folder: Path, module: str) -> tuple[list[Path], list[Path]]:
    """The entries of an unpacked archive: those of the module (all if it is empty), and the others."""
    there = [path.parents[1] for path in sorted(folder.glob("*/*/" + META))]
    if not there:
        raise NotFoundError(f"{archive} has no entries", hint="a CK archive holds <module>/<entry>/.cm/meta.json")
    asked = [entry for entry in there if not module or canonical_module(entry.parent.name) == module]
    return asked, [entry for entry in there if entry not in asked]


def _place(folder: Path, target: Repository, own: Path | None) -> tuple[Path, Path, str]:
    """An entry's folder in the archive, its target folder, and its UID; `own` is the new repository for recipes."""
    module, uid = folder.parent.name, read_uid(folder)
    final = (own / module if own else target.module_folder(module)) / folder.name
    refuse_taken_uid(final, uid)
    return folder, final, uid


def _new_home(archive: Path, repositories: Repositories, recipe: Path) -> Path:
    """The folder of the new repository for an archive's recipes; it is not created yet."""
    name = archive.stem
    check_name(name)
    folder = repos_root() / name
    if folder.exists() or repositories.named(name):
        raise ConflictError(
            f"{archive} holds {recipe.parent.name}:{recipe.name}. Recipes are unpacked into a separate repository {name!r}, "
            "which already exists",
            hint=f"nothing was unpacked; --repo_uoa={name} unpacks into it, or give the archive another name",
        )
    return folder


def _refuse_outranking(archive: Path, repositories: Repositories, target: Repository, folder: Path, uid: str) -> None:
    """Refuse an entry that would hide one of another repository."""
    module = folder.parent.name
    for row in repositories.all():
        if row.path == target.path:
            continue
        other = row.module_folder(module)
        if (other / folder.name).exists() or (other / uid).exists() or uid_file(other, uid).exists():
            raise ConflictError(
                f"{archive}: {module}:{folder.name} ({uid}) would hide the one in {row.alias}",
                hint="without --all it is skipped",
            )


def _taken(alias: str) -> ConflictError:
    return ConflictError(f"a repository {alias!r} already exists", hint="choose another name: `ck unzip repo:NAME --zip=…`")


def unpack_repository(archive: Path, repositories: Repositories, name: str = "") -> Repository:
    """Import a packed repository into CK_REPOS, under its own name or `name`.

    Parameters
    ----------
    name
        The alias; that in the archive if empty.

    Raises
    ------
    ArchiveError
        If the archive is invalid or untrustworthy, or has data of another machine; nothing is changed then.
    NotFoundError
        If it does not contain a repository.
    ConflictError
        If the name is taken.
    """
    root = repos_root()
    with scratch_folder(root, "unzip") as staging:
        unpack_foreign(archive, staging)
        refuse_other_machine(archive, staging)
        refuse_double_uids(archive, staging)
        if not (staging / DESCRIPTION).is_file():
            raise NotFoundError(f"{archive} is not a packed repository: it has no {DESCRIPTION}")
        staging.chmod(0o755)
        described = read_repository(staging)
        alias = name or str(read_json_object(staging / DESCRIPTION).get("data_alias", "")) or archive.stem
        check_name(alias)
        if (root / alias).exists() or any(row.alias == alias for row in repositories.all()):
            raise _taken(alias)
        if any(row.uid == described.uid for row in repositories.all()):  # a second copy needs a new UID
            content = read_json_object(staging / DESCRIPTION)
            write_json(staging / DESCRIPTION, content | {"data_uid": new_uid(), "data_alias": alias, "data_uoa": alias})
        if not publish_folder(staging, root / alias):
            raise _taken(alias)
    repositories.register(alias, root / alias)
    return read_repository(root / alias)

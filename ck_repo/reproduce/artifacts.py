"""The files of a lock's components: downloads of recipes, and registered files. Pack them, and import them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ck_repo import progress
from ck_repo.environment.collect import readable_envs
from ck_repo.environment.lockfile import Lock, LockedComponent, RegisteredAs, lock_of_experiment
from ck_repo.errors import CKError, MismatchError, NotFoundError
from ck_repo.experiments.meta import read_experiment
from ck_repo.install.fetch import adopt, fetch
from ck_repo.install.source import source_of
from ck_repo.machine.register import DATA_KINDS, detect, problem, register, registered_with
from ck_repo.models.parts import digest_of_model
from ck_repo.reproduce.data_set import archived, brought_in
from ck_repo.reproduce.recipes import foreign_recipe, gather_recipe
from ck_repo.session import Session
from ck_repo.store.archive import pack_entries
from ck_repo.store.atomic import copy_folder, publish_folder, storage_errors
from ck_repo.store.digest import of_value
from ck_repo.store.entry import Entry
from ck_repo.store.folders import tools_root
from ck_repo.store.lock import locked
from ck_repo.store.plain_file import flaw, is_folder, shown, walk
from ck_repo.store.repository import check_name
from ck_repo.store.search import load
from ck_repo.store.work import remove_folder, working
from ck_repo.trust import require_data

ARTIFACTS = "artifacts"  # folder of the artifacts in a packed experiment
FILES, REGISTERED = "files", "registered"
_FREE = frozenset({"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "ISC", "Unlicense"})


@dataclass
class Artifacts:
    """Collected artifacts.

    Attributes
    ----------
    rows
        Files by their names in the archive.
    (what, why) of skipped files.
        (what, why) of skipped files.
    """

    rows: dict[str, Path] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)


def gather(session: Session, lock: Lock, *, only_free: bool) -> Artifacts:
    """The files of a lock's components.

    Parameters
    ----------
    only_free
        Skip files without a known licence that permits redistribution; downloads are repeated on the other machine.

    Raises
    ------
    NotFoundError
        If a registered file is missing, or was changed.
    """
    found = Artifacts()
    for row in lock.components:
        if row.source not in ("package", "registered") or not (row.downloads or row.meta):
            continue
        if only_free and row.licence not in _FREE:
            found.left.append((row.label, _why_left(row)))
        elif row.source == "registered":
            found.rows |= {f"{REGISTERED}/{row.content}/{name}": path for name, path in _registered(session, row)}
        else:
            for each in row.downloads:
                path, digest = fetch(source_of(each, row.label))
                found.rows[f"{FILES}/{digest}"] = path
    return found


def _registered(session: Session, row: LockedComponent) -> Iterator[tuple[str, Path]]:
    """The registered files of a component, by their names below its folder."""
    env = next((each for each in readable_envs(session) if each.key == row.key and each.is_registered), None)
    if env is None:
        raise NotFoundError(f"{row.label} is no longer registered", hint=f"`ck detect soft:{row.alias} --full_path=…`")
    if wrong := problem(env):
        raise MismatchError(wrong, hint="`ck lock venv` again, or restore it")
    main = Path(env.file)
    if env.dataset:
        yield from archived(env.dataset)
    else:
        if digest_of_model(main, env.parts) != row.content:
            raise MismatchError(f"{main} differs from the lock", hint=f"`ck lock venv` again, or restore {row.content[:16]}…")
        yield main.name, main
        for name in env.parts:
            yield name, main.parent / name


def pack_experiments(
    session: Session, entries: Sequence[Entry], output: Path, *, artifacts: str, overwrite: bool = False
) -> tuple[int, list[tuple[str, str]]]:
    """Pack experiments into a zip file.

    Parameters
    ----------
    artifacts
        ``no``, ``yes`` (files whose licence permits redistribution) or ``all``.

    Returns
    -------
    files, left
        The number of packed files; what was skipped and why.
    """
    more: dict[str, Path] = {}
    left: dict[str, str] = {}
    for entry in entries if artifacts != "no" else ():
        meta = read_experiment(entry)
        if meta.published:  # an imported submission has no artifacts
            continue
        lock = lock_of_experiment(entry.path, meta.data)
        found = gather(session, lock, only_free=artifacts == "yes")
        rows = found.rows | _recipes(session, lock, found, only_free=artifacts == "yes")
        more |= {f"{entry.module}/{entry.alias}/{ARTIFACTS}/{name}": path for name, path in rows.items()}
        left |= dict(found.left)
    return pack_entries(entries, output, overwrite=overwrite, more=more), sorted(left.items())


def _recipes(session: Session, lock: Lock, found: Artifacts, *, only_free: bool) -> dict[str, Path]:
    """The recipes of other repositories; those that are skipped because of their licence are added to `found`."""
    rows: dict[str, Path] = {}
    for row in lock.components:
        if not foreign_recipe(session, row):
            continue
        if only_free and row.licence not in _FREE:
            found.left.append((f"the recipe of {row.label}", _why_left(row)))
        else:
            rows |= gather_recipe(session, row)
    return rows


def _why_left(row: LockedComponent) -> str:
    return f"its licence is {row.licence}" if row.licence else "no licence that permits redistribution is known"


def bring_in(session: Session, lock: Lock, folder: Path, scope: str) -> None:
    """Import artifacts into the cache, and register the user's files.

    Parameters
    ----------
    scope
        Who may use the registered files: ``venv:NAME`` or ``experiment:UID``. They do not exist for others.
    folder
        Contains ``files/`` and ``registered/``, as `gather` names them; either may be missing.
    """
    for row in lock.components:
        for each in row.downloads:
            source = source_of(each, row.label)
            if not flaw(folder, f"{FILES}/{source.sha256}", links=False):
                adopt(folder / FILES / source.sha256, source)
        if row.source == "registered" and is_folder(folder, f"{REGISTERED}/{row.content}"):
            _register(session, row, folder / REGISTERED / row.content, scope)


def _register(session: Session, row: LockedComponent, source: Path, scope: str) -> None:
    """Copy registered files into CK_TOOLS and register them with their tags, unless they exist here."""
    known = (env for env in readable_envs(session) if env.is_registered and env.key == row.key)
    if any(env.only_for in ("", scope) and set(_as_locked(row).tags) <= set(env.tags) for env in known):
        return
    soft = load(session.repositories, "soft", row.alias)
    require_data(str(soft.meta().get("detect", "")), row.label, DATA_KINDS)
    final = tools_root() / f"{soft.alias}-{row.content[:12]}-{of_value(scope)[:8]}"
    check_name(row.file)
    if odd := next((each for each in walk(source) if each.flaw), None):
        raise MismatchError(f"{row.label}: {shown(source / odd.name)} is {odd.flaw}", hint="create the archive again")
    with locked(tools_root() / ".locks" / f"{final.name}.lock", f"importing {row.label}"):
        if not final.exists():
            with storage_errors(f"writing {final}"), progress.task(f"copying {row.label}"), working() as work:
                staging = work.beside(final)
                copy_folder(source, staging)
                publish_folder(staging, final)
        try:
            _register_verified(session, row, soft, final, scope)
        except CKError:
            remove_folder(final)  # remove a mismatched copy
            raise


def _register_verified(session: Session, row: LockedComponent, soft: Entry, final: Path, scope: str) -> None:
    known = _as_locked(row)
    options = registered_with(known.model or {})
    path = final / row.file
    if known.dataset:
        path, options = brought_in(known.dataset, final)
    if known.given_name:
        options["name"] = known.given_name
    try:
        found = detect(soft, path, options)
    except CKError as error:
        raise MismatchError(f"{row.label}: {error.what}", hint="create the archive again: it was damaged") from error
    if found.digest != row.content:
        raise MismatchError(
            f"{row.label} differs from the lock: {row.content[:16]}… expected, got {found.digest[:16]}…",
            hint="create the archive again: it was damaged",
        )
    register(session, replace(found, name=known.name or found.name, only_for=scope), known.tags)


def _as_locked(row: LockedComponent) -> RegisteredAs:
    """The kind of registration on the machine of the lock."""
    return row.meta or RegisteredAs()

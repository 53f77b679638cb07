"""Make a lock from what is there: a venv, and the env entries of what was installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ck_repo.environment.lockfile import Lock, LockedComponent, LockedPackage
from ck_repo.errors import CKError
from ck_repo.machine.interpreter import ask
from ck_repo.machine.platform import describe_platform
from ck_repo.machine.python_packages import installed_packages
from ck_repo.resolve.component import Component, read_component
from ck_repo.session import Session
from ck_repo.stock.environment import STOCK
from ck_repo.store.digest import of_entry
from ck_repo.store.entry import Entry
from ck_repo.store.git_state import remote_of, state_of
from ck_repo.store.repositories import LOCAL
from ck_repo.store.search import find

PROGRAM = "program"
# of something registered: what has to be known to register it again elsewhere
_KEPT = ("name", "tags", "soft", "model", "dataset", "size")


def locked_packages(python: Path) -> dict[str, LockedPackage]:
    """The Python packages of a venv."""
    rows = installed_packages(python)
    return {name: LockedPackage(row.version, row.content, row.tags) for name, row in rows.items()}


def locked_interpreter(python: Path) -> dict[str, str]:
    """The interpreter of a venv."""
    found = ask(python)
    return {"version": found.version, "implementation": found.implementation, "machine": found.machine} if found else {}


def locked_template(template: Entry) -> dict[str, str]:
    """A template."""
    return {"alias": template.alias, "repository": template.repository, "uid": template.uid, "digest": of_entry(template)}


def locked_program(program: Component) -> LockedComponent:
    """The program that ran."""
    entry = program.entry
    return LockedComponent(
        PROGRAM, PROGRAM, entry.alias, entry.alias, entry.repository, entry.module, entry.uid, program.digest
    )


def locked_components(session: Session, installed: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[LockedComponent, ...]:
    """What was installed or registered, and what it was made from.

    Parameters
    ----------
    installed
        Roles with the env meta of each. What is a Python package alone is left out: it is among the packages of the venv.
    """
    by_key = {str(meta.get("key")): meta for meta in _env_metas(session)}
    rows: dict[str, LockedComponent] = {}

    def visit(role: str, meta: Mapping[str, Any]) -> None:
        key = str(meta.get("key", ""))
        if not key or key in rows:
            return
        for name, below in (meta.get("inputs") or {}).items():
            if below in by_key:
                visit(name, by_key[below])
        rows[key] = _component(role, meta)

    for role, meta in installed:
        visit(role, meta)
    return tuple(rows.values())


def still_made(session: Session, components: Iterable[LockedComponent]) -> tuple[LockedComponent, ...]:
    """Those of a lock's components that would be made the same again: installed, and by the recipe as it is now.

    A program is taken as it is now.
    """
    installed = {str(meta.get("key")) for meta in _env_metas(session)}
    kept = []
    for row in components:
        recipe = _recipe(session, row) if row.uid else None
        if row.source == PROGRAM and recipe:
            kept.append(locked_program(recipe))
        elif row.source != PROGRAM and row.key in installed and (not row.uid or (recipe and recipe.digest == row.digest)):
            kept.append(row)
    return tuple(kept)


def _recipe(session: Session, row: LockedComponent) -> Component | None:
    entry = entry_of(session, row.module, row.uid)
    try:
        return read_component(entry) if entry else None
    except CKError:
        return None


def entry_of(session: Session, module: str, uid: str) -> Entry | None:
    """The entry of a UID, in whatever repository."""
    return next((entry for entry in find(session.repositories, module) if entry.uid == uid), None)


def _component(role: str, meta: Mapping[str, Any]) -> LockedComponent:
    recipe = meta.get("component") or {}
    file = str(meta.get("file") or "")
    section = meta.get("model") or meta.get("dataset") or {}
    registered = meta.get("source") in ("detected", STOCK)
    source = "registered" if registered else "conversion" if "source" in (meta.get("inputs") or {}) else "package"
    return LockedComponent(
        role=role,
        source=source,
        label=str(meta.get("label") or recipe.get("alias") or meta.get("name")),
        alias=str(meta.get("soft", "") if registered else recipe.get("alias", "")),
        **{name: str(recipe.get(name, "")) for name in ("repository", "module", "uid", "digest")},
        variations=tuple(meta.get("variations") or ()),
        key=str(meta.get("key", "")),
        inputs=dict(meta.get("inputs") or {}),
        content=str(meta.get("digest", "")),
        file=Path(file).name if file else "",
        licence=str(section.get("licence") or meta.get("licence") or ""),
        downloads=tuple(meta.get("downloads") or ()),
        tools=dict(meta.get("tools") or {}),
        meta={name: meta[name] for name in _KEPT if name in meta} if registered else {},
    )


def _env_metas(session: Session) -> Iterable[dict[str, Any]]:
    for entry in find(session.repositories, "env", repository=LOCAL):
        try:
            yield entry.meta()
        except CKError:  # the survey warns of it
            continue


def repository_states(session: Session, aliases: Iterable[str]) -> dict[str, dict[str, Any]]:
    """UID, URL, commit and changes of repositories; the URL is that of the clone's origin where the repository names none."""
    wanted = set(aliases)
    rows = [row for row in session.repositories.all() if row.alias in wanted]
    return {row.alias: {"uid": row.uid, "url": _public(row.url or remote_of(row.path)), **state_of(row.path)} for row in rows}


def _public(url: str) -> str:
    """A URL without a password in it: a lock is passed on."""
    return re.sub(r"(?<=://)[^/@]+@", "", url)


def make_lock(
    session: Session,
    python: Path,
    template: Mapping[str, str],
    components: tuple[LockedComponent, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> Lock:
    """The lock of a venv as it is now."""
    aliases = [row.repository for row in components] + [str(template.get("repository", ""))]
    return Lock(
        interpreter=locked_interpreter(python),
        template=template,
        packages=locked_packages(python),
        components=components,
        repositories=repository_states(session, aliases),
        platform=describe_platform(),
        options=dict(options or {}),
    )

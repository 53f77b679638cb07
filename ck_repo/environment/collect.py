"""Create a lock from a venv and from the env entries of installed components."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ck_repo.environment.lockfile import Lock, LockedComponent, LockedPackage, RegisteredAs, RepositoryState
from ck_repo.errors import CKError
from ck_repo.machine.interpreter import ask
from ck_repo.machine.platform import describe_platform
from ck_repo.machine.python_packages import installed_packages
from ck_repo.resolve.component import Component, read_component
from ck_repo.session import Session
from ck_repo.stock.environment import STOCK, read_env
from ck_repo.store.digest import of_entry
from ck_repo.store.entry import Entry
from ck_repo.store.git_state import remote_of, state_of
from ck_repo.store.installed import Installed, RecipeEntry
from ck_repo.store.repositories import LOCAL
from ck_repo.store.repository import Repository
from ck_repo.store.search import find

PROGRAM = "program"


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


def locked_components(session: Session, installed: Iterable[tuple[str, Installed]]) -> tuple[LockedComponent, ...]:
    """The installed or registered components, including those that they were made from.

    Parameters
    ----------
    installed
        Roles and their components. Python packages are excluded, because they are among the packages of the venv.
    """
    by_key = {env.key: env for env in readable_envs(session)}
    rows: dict[str, LockedComponent] = {}

    def visit(role: str, env: Installed) -> None:
        if not env.key or env.key in rows:
            return
        for name, below in env.inputs.items():
            if below in by_key:
                visit(name, by_key[below])
        rows[env.key] = _component(role, env)

    for role, env in installed:
        visit(role, env)
    return tuple(rows.values())


def still_made(session: Session, components: Iterable[LockedComponent]) -> tuple[LockedComponent, ...]:
    """The components of a lock that would be rebuilt identically: installed, and with the current recipe.

    A program is used in its current state.
    """
    installed = {env.key for env in readable_envs(session)}
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
    """The entry with a UID, in any repository."""
    return next((entry for entry in find(session.repositories, module) if entry.uid == uid), None)


def _component(role: str, env: Installed) -> LockedComponent:
    recipe = env.component or RecipeEntry()
    registered = env.is_registered or env.source == STOCK
    licence = env.section("model").get("licence") or env.section("dataset").get("licence") or env.licence
    return LockedComponent(
        role=role,
        source="registered" if registered else "conversion" if "source" in env.inputs else "package",
        label=env.title,
        alias=env.soft if registered else recipe.alias,
        repository=recipe.repository,
        module=recipe.module,
        uid=recipe.uid,
        digest=recipe.digest,
        variations=env.variations,
        key=env.key,
        inputs=env.inputs,
        content=env.digest,
        file=Path(env.file).name if env.file else "",
        licence=str(licence),
        downloads=env.downloads,
        tools=env.tools,
        meta=RegisteredAs(env.name, env.tags, env.soft, env.model, env.dataset, env.size, env.given_name)
        if registered
        else None,
    )


def readable_envs(session: Session) -> Iterator[Installed]:
    """Installed and registered components; the survey warns of unreadable ones."""
    for entry in find(session.repositories, "env", repository=LOCAL):
        with suppress(CKError):
            yield read_env(entry)


def repository_states(session: Session, aliases: Iterable[str]) -> dict[str, RepositoryState]:
    """UID, URL, commit and changes of repositories; the URL is that of the clone's origin if the repository has none."""
    wanted = set(aliases)
    rows = [row for row in session.repositories.all() if row.alias in wanted]
    return {row.alias: _state(row) for row in rows}


def _state(row: Repository) -> RepositoryState:
    state = state_of(row.path)
    return RepositoryState(
        row.uid, _public(row.url or remote_of(row.path)), state.git, state.commit, state.changed, state.installed
    )


def _public(url: str) -> str:
    """A URL without a password, because locks are shared."""
    return re.sub(r"(?<=://)[^/@]+@", "", url)


def make_lock(
    session: Session,
    python: Path,
    template: Mapping[str, str],
    components: tuple[LockedComponent, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> Lock:
    """The lock of a venv in its current state.

    Parameters
    ----------
    python
        The interpreter of the venv.
    template
        What identifies the template.
    components
        Everything that is not a Python package.
    options
        Options of the run, for the lock of an experiment.
    """
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

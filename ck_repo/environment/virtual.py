"""The variables of components that are selected by tags, and a shell or command that has them.

Only env entries of `local` are used: those of a pulled repository could name any program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ck_repo import progress
from ck_repo.child import attach
from ck_repo.environment.present import present_packages
from ck_repo.environment.venv import Venv, read_context
from ck_repo.errors import CKError, NotFoundError
from ck_repo.machine.register import problem
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.stock.environment import read_env
from ck_repo.stock.variables import Variables, place_of, variable_name, variables_of
from ck_repo.store.entry import Entry
from ck_repo.store.installed import is_registered
from ck_repo.store.query import TagQuery
from ck_repo.store.repositories import LOCAL
from ck_repo.store.search import find


@dataclass(frozen=True)
class Named:
    """Something that sets variables: an env entry, or (without one) the venv's Python or one of its packages."""

    name: str
    variables: Variables
    entry: Entry | None = None
    meta: Mapping[str, Any] | None = None


def named(session: Session, pattern: str, tags: str, venv: Venv | None) -> list[Named]:
    """The components for a pattern and tags: env entries, else packages of the venv.

    Raises
    ------
    NotFoundError
        If no installed or registered component has these tags.
    """
    rows = list(_entries(session, pattern, tags))
    if rows:
        return rows
    if pattern:
        raise NotFoundError(f"there is no env:{pattern}" + (f" with the tags {tags}" if tags else ""), hint="`ck show env`")
    return [_in_venv(session, tags, venv)]


def _entries(session: Session, pattern: str, tags: str) -> Iterator[Named]:
    found = [(entry, entry.meta()) for entry in find(session.repositories, "env", pattern, repository=LOCAL, tags=tags)]
    found.sort(key=lambda row: str(row[1].get("registered") or row[1].get("installed") or ""), reverse=True)
    for entry, meta in found:
        try:
            wrong, variables = gone(entry, meta), variables_of(meta, entry.path)
        except CKError as error:
            wrong = error.what
        if wrong:
            progress.warn(f"env:{entry.alias} is skipped: {wrong}")
            continue
        yield Named(str(meta.get("name") or entry.info().get("data_name") or entry.alias), variables, entry, meta)


def gone(entry: Entry, meta: Mapping[str, Any]) -> str:
    """Why a component cannot be used; empty if it can."""
    if is_registered(meta):
        return problem(read_env(entry))
    path = place_of(meta)
    return f"{path} is missing" if path and not os.path.exists(path) else ""


def _in_venv(session: Session, tags: str, venv: Venv | None) -> Named:
    if venv:
        base = _of_venv(venv)
        version = venv.version.split(".")
        own = {"compiler", "python", "lang-python", *("v" + ".".join(version[:count]) for count in (1, 2, 3))}
        if TagQuery.parse(tags).matches(own):
            prefix = "CK_ENV_COMPILER_PYTHON"
            values = {
                prefix: str(venv.python.parent), f"{prefix}_ROOT": str(venv.folder),
                f"{prefix}_FILE": str(venv.python), f"{prefix}_VERSION": venv.version,
            }  # fmt: skip
            return Named(f"Python {venv.version} of venv:{venv.name}", Variables(values).joined(base))
        for package in present_packages(session, venv, tags):
            values = {f"CK_ENV_PYTHON_PACKAGE_{variable_name(package.name)}_VERSION": package.version}
            return Named(f"{package.name} {package.version} of venv:{venv.name}", Variables(values).joined(base))
    Resolver(read_context(session, venv)).resolve(tags)  # an unknown tag is a separate error
    raise NotFoundError(
        f"no installed or registered component has the tags {tags}", hint=f"`ck install package --tags={tags}` installs it"
    )


def _of_venv(venv: Venv) -> Variables:
    values = {"VIRTUAL_ENV": str(venv.folder), "CK_VENV": venv.name}
    return Variables(values, {"PATH": (str(venv.python.parent),)})


def together(rows: Sequence[Named]) -> Variables:
    """The variables of all components; on conflicts, the first one's value is used."""
    whole = Variables()
    for row in rows:
        whole = whole.joined(row.variables)
    return whole


def conflicts(rows: Sequence[Named]) -> list[tuple[Named, list[Named]]]:
    """Each component that is used, with the later ones that set one of its variables differently."""
    first_with: dict[str, int] = {}
    found: dict[int, list[Named]] = {}
    for number, row in enumerate(rows):
        setters = {name: first_with.setdefault(name, number) for name in row.variables.values}
        differing = {at for name, at in setters.items() if rows[at].variables.values[name] != row.variables.values[name]}
        for at in differing:
            found.setdefault(at, []).append(row)
    return [(rows[first], others) for first, others in sorted(found.items())]


def run_with(variables: Variables, command: str, *, output: int | None = None) -> int:
    """Run the user's command line in a shell with the variables; return its exit status.

    Parameters
    ----------
    output
        File descriptor for its output; None for ours.
    """
    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    return attach([shell, "-c", command], variables.environment(os.environ), output=output)

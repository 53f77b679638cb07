"""The lock of a venv: what was installed into it and for it on purpose. Other changes are drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ck_repo.environment.collect import locked_packages, locked_template, make_lock, repository_states, still_made
from ck_repo.environment.lockfile import NAME, Lock, LockedComponent, read_lock, write_lock
from ck_repo.environment.template import template_entry
from ck_repo.environment.venv import Venv
from ck_repo.errors import NotFoundError
from ck_repo.machine.python_packages import python_packages
from ck_repo.session import Session
from ck_repo.store.lock import locked


def read_venv_lock(session: Session, venv: Venv) -> Lock:
    """The venv's lock; a venv without one gets a lock of its current content."""
    path = venv.entry.path / NAME
    return read_lock(path) if path.exists() else make_lock(session, venv.python, _template(session, venv))


def _template(session: Session, venv: Venv) -> dict[str, str]:
    if not venv.template:
        return {"alias": ""}
    try:
        return locked_template(template_entry(session, venv.template))
    except NotFoundError:  # its repository was removed
        return {"alias": venv.template}


def extend_lock(session: Session, venv: Venv, before: Mapping[str, str], components: tuple[LockedComponent, ...]) -> None:
    """Add the changes of our own installation to the venv's lock, but no changes made outside ck.

    Parameters
    ----------
    before
        Name to version of the Python packages before the installation.
    components
        The components that were installed or reused for it.
    """
    path = venv.entry.path / NAME
    with locked(venv.entry.path / ".lock-file", "locking the venv"):
        known = path.exists()
        lock = read_venv_lock(session, venv)
        after = python_packages(venv.python)
        keys = {row.key or row.uid for row in lock.components}
        if known and after == before and all((row.key or row.uid) in keys for row in components):
            return
        if after != before:
            now = locked_packages(venv.python)
            changed = {name: row for name, row in now.items() if before.get(name) != row.version}
            kept = {name: row for name, row in lock.packages.items() if name in after or name not in before}
            lock = replace(lock, packages=dict(sorted({**kept, **changed}.items())))
        write_lock(path, lock.with_components(components, repository_states(session, _aliases(components))))


def renew_lock(session: Session, venv: Venv) -> Lock:
    """Make the current state of the venv its lock, and return it."""
    with locked(venv.entry.path / ".lock-file", "locking the venv"):
        old = read_venv_lock(session, venv)
        lock = make_lock(session, venv.python, _template(session, venv), still_made(session, old.components))
        write_lock(venv.entry.path / NAME, lock)
        return lock


def _aliases(components: tuple[LockedComponent, ...]) -> list[str]:
    return [row.repository for row in components if row.repository]

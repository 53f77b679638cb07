"""Check registered and installed components again: update changed ones, and report missing ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.errors import CKError
from ck_repo.install.installer import content_of
from ck_repo.machine import register
from ck_repo.machine.data_set import Wanted
from ck_repo.session import Session
from ck_repo.stock.environment import is_stock_env, read_env
from ck_repo.stock.variables import place_of
from ck_repo.store.entry import Entry
from ck_repo.store.installed import PACKAGE, Installed, is_registered
from ck_repo.store.search import load

SAME, READ, GONE, CHANGED = "unchanged", "read again", "gone", "changed"


@dataclass(frozen=True)
class Refreshed:
    """The result for an env entry.

    Attributes
    ----------
    state
        ``unchanged``, ``read again``, ``gone`` or ``changed``.
    advice
        A hint; empty if nothing has to be done.
    """

    name: str
    state: str
    advice: str = ""

    @property
    def fine(self) -> bool:
        """Whether it can be used."""
        return self.state in (SAME, READ)


def refresh(session: Session, entry: Entry) -> Refreshed:
    """Check an env entry; registered files are read again if they changed.

    Returns
    -------
    Refreshed
        The state, and what to do if it cannot be used.
    """
    meta = entry.meta()
    if is_stock_env(meta) or "source" not in meta:
        return _stock(entry, meta)
    env = read_env(entry)
    if env.source == PACKAGE:
        with progress.task(f"checking {env.name}"):
            return _installed(env)
    if env.is_registered:
        return _registered(session, env)
    return _stock(entry, meta)


def _stock(entry: Entry, meta: Mapping[str, Any]) -> Refreshed:
    """Check an entry that stock CK wrote."""
    name = str(meta.get("name") or entry.info().get("data_name") or entry.alias)
    path = place_of(meta)
    if path and not Path(path).exists():
        return Refreshed(name, GONE, f"{path} is missing: `ck rm env:{entry.uid}` removes the registration")
    return Refreshed(name, SAME)


def _installed(env: Installed) -> Refreshed:
    again = f"`ck install package:{env.component.alias if env.component else ''} --reinstall`"
    content = content_of(env)
    if not content:
        return Refreshed(env.name, GONE, f"{env.path or 'its folder'} is missing, and is installed again when it is needed")
    if content != env.digest:
        return Refreshed(env.name, CHANGED, f"its files in {env.path} were changed: {again} installs it again")
    return Refreshed(env.name, SAME)


def check(session: Session, entry: Entry) -> Refreshed:
    """Compare the content of an env entry with the recorded digest, without changing anything.

    Returns
    -------
    Refreshed
        The state, and what to do if it cannot be used. All content is read, unlike in `survey`.
    """
    if not is_registered(entry.meta()):
        return refresh(session, entry)
    env = read_env(entry)
    if not env.place.exists():
        return Refreshed(env.name, GONE, register.problem(env) or f"{env.place} is missing")
    again = f"`ck refresh env:{env.uid}` registers its current state"
    with progress.task(f"checking {env.name}"):
        try:
            digest = _detect(session, env).digest
        except CKError as error:
            return Refreshed(env.name, CHANGED, f"{env.place} can no longer be read: {error.what}")
    if digest != env.digest:
        return Refreshed(env.name, CHANGED, f"{env.place} was changed: {again}")
    return Refreshed(env.name, SAME)


def _detect(session: Session, env: Installed) -> Installed:
    """The entry as it would be registered now."""
    return register.detect(load(session.repositories, "soft", env.soft), _named_file(env), _options(env))


def _registered(session: Session, env: Installed) -> Refreshed:
    wrong = register.problem(env)
    if not wrong and env.size is not None:
        return Refreshed(env.name, SAME)
    if not env.place.exists():
        return Refreshed(env.name, GONE, wrong)
    try:
        found = _detect(session, env)
    except CKError as error:
        return Refreshed(env.name, CHANGED, f"{wrong or env.place}: it cannot be read again: {error.what}")
    if found.digest == env.digest and not wrong:  # an interpreter, which has no size
        return Refreshed(env.name, SAME)
    register.register(session, found, env.tags)
    return Refreshed(env.name, READ)


def _named_file(env: Installed) -> Path:
    """The path that the user registered: for a data set the source, else the file."""
    return Path(Wanted.of(env.dataset).path) if env.dataset else env.place


def _options(env: Installed) -> dict[str, str]:
    options = register.registered_with(env.model) if env.model else {}
    if env.dataset:
        given = Wanted.of(env.dataset)
        options |= {"annotations": given.annotations, "categories": given.names, "inside": "yes" if given.inside else ""}
    return options | ({"name": env.given_name} if env.given_name else {})

"""A survey of the installed and registered components, for the resolver."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ck_repo.errors import CKError
from ck_repo.machine.register import problem
from ck_repo.resolve.catalogue import Stored
from ck_repo.resolve.context import Context
from ck_repo.session import Session
from ck_repo.stock.environment import STOCK, read_env, stock_problem
from ck_repo.store.entry import Entry
from ck_repo.store.installed import Installed
from ck_repo.store.repositories import LOCAL, default_repository_alias
from ck_repo.store.search import find
from ck_repo.store.warnings_once import Problems


def survey(
    session: Session,
    python_packages: Mapping[str, str] | None = None,
    python: str = "",
    scopes: Collection[str] = (),
) -> Context:
    """Read env entries, and open the indexes of packages; broken entries are skipped with a warning.

    Parameters
    ----------
    python_packages
        Name and version of the venv's packages.
    python
        The version of its Python.
    scopes
        Whose restricted components are available, too: those that only a lock verifies are for one venv or one experiment.
    """
    problems = Problems()
    registered: list[Installed] = []
    installed: dict[str, Installed] = {}
    for entry in find(session.repositories, "env", repository=LOCAL):
        env = _read(entry, problems)
        if env is None or (env.only_for and env.only_for not in scopes):
            continue
        if env.source == STOCK:
            if not stock_problem(env):
                registered.append(replace(env, problem=_unfit(env)))
        elif env.is_registered:
            registered.append(replace(env, problem=problem(env)))
        elif env.key and env.place.exists():  # otherwise it is installed again
            installed[env.key] = installed.get(env.key, env) if env.only_for else env  # those verified by a lock come last
    problems.warn()
    registered.sort(key=_order, reverse=True)
    own = frozenset({LOCAL, default_repository_alias()})
    return Context(Stored(session.repositories), registered, installed, python_packages or {}, python, own)


def _order(env: Installed) -> tuple[int, str, str]:
    """The order of registrations: by number, and for those of earlier versions, which had none, by time."""
    return env.number or 0, env.registered, env.key


def _read(entry: Entry, problems: Problems) -> Installed | None:
    try:
        return read_env(entry)
    except CKError as error:
        problems.add(entry.repository, "env", error.what)
        return None


def _unfit(env: Installed) -> str:
    """Why an env entry of stock CK cannot be used by our benchmarks: it does not describe its model's interface."""
    tags = set(env.tags)
    if "object-detection" not in tags or tags.isdisjoint(("model", "dataset")):
        return ""
    kind = "model.onnx" if "model" in tags else "dataset.coco.2017.val"
    return f"stock CK's entry does not describe its interface; `ck detect soft:{kind} --full_path={env.file}` registers it"

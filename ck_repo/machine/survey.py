"""What there is on the machine, read before anything is decided."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from ck_repo.errors import CKError
from ck_repo.machine.register import problem
from ck_repo.resolve.catalogue import Stored
from ck_repo.resolve.surroundings import Surroundings
from ck_repo.session import Session
from ck_repo.stock.environment import STOCK, read_env, stock_problem
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import LOCAL, default_repository_alias
from ck_repo.store.search import find
from ck_repo.store.warnings_once import Problems


def survey(
    session: Session,
    python_packages: Mapping[str, str] | None = None,
    python: str = "",
    scopes: Collection[str] = (),
) -> Surroundings:
    """Read env entries, and open the indexes of packages; an entry that is broken is left out with a warning.

    Parameters
    ----------
    python_packages
        Name to version of what the venv has.
    python
        The version of its Python.
    scopes
        Whose own things count, too: what rests on a lock's word alone is for one venv or one experiment.
    """
    problems = Problems()
    registered: list[dict[str, Any]] = []
    installed: dict[str, dict[str, Any]] = {}
    for entry in find(session.repositories, "env", repository=LOCAL):
        meta = _env_meta(entry, problems)
        scope = meta.get("only_for", "")
        if scope and scope not in scopes:
            continue
        if meta.get("source") == STOCK:
            if not stock_problem(meta):
                registered.append(meta | {"problem": _unfit(meta)})
        elif meta.get("source") == "detected":
            registered.append(meta | {"problem": problem(meta)})
        elif meta.get("key") and os.path.exists(str(meta.get("file") or meta.get("path"))):  # else it is installed anew
            key = str(meta["key"])
            installed[key] = installed.get(key, meta) if scope else meta  # what a lock vouches for comes last
    problems.warn()
    registered.sort(key=_order, reverse=True)
    own = frozenset({LOCAL, default_repository_alias()})
    return Surroundings(Stored(session.repositories), registered, installed, python_packages or {}, python, own)


def _order(meta: Mapping[str, Any]) -> tuple[int, str, str]:
    """The order of registrations: by number, and by time those of earlier versions, which had no number."""
    return int(meta.get("number") or 0), str(meta.get("registered", "")), str(meta.get("key"))


def _env_meta(entry: Entry, problems: Problems) -> dict[str, Any]:
    try:
        return read_env(entry) | {"uid": entry.uid, "alias": entry.alias}
    except CKError as error:
        problems.add(entry.repository, "env", error.what)
        return {}


def _unfit(meta: Mapping[str, Any]) -> str:
    """Why an env entry of stock CK cannot be what a benchmark of ours needs: it does not say how its model is used."""
    tags = set(meta.get("tags", ()))
    if "object-detection" not in tags or tags.isdisjoint(("model", "dataset")):
        return ""
    kind = "model.onnx" if "model" in tags else "dataset.coco.2017.val"
    return f"stock CK's entry does not say how it is used; `ck detect soft:{kind} --full_path={meta.get('file')}` registers it"

"""Which detector of ours looks for what a user names: stock's are Python programs of a repository, and are never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo.errors import CKError, DetectError, UsageError
from ck_repo.machine.register import distributions
from ck_repo.session import Session
from ck_repo.stock.soft import python_module
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.repositories import default_repository_alias
from ck_repo.store.search import find

_OF_OURS = frozenset({"object-detection"})  # what our detectors are for, where stock's tags do not say
_PYTHON = frozenset({"lib", "python-package"})  # tags of every detector and package of a Python package


def detector(session: Session, found: Sequence[Entry]) -> Entry:
    """The one detector that the soft entries mean.

    Parameters
    ----------
    found
        The entries that the user's names and tags match, at least one.

    Raises
    ------
    UsageError
        If they mean several; the message has the name of each.
    DetectError
        If they are stock's, and no detector of ours looks for the same.
    """
    ours = [entry for entry in found if _kind(entry)]
    if not ours:
        every = [entry for entry in find(session.repositories, "soft") if _kind(entry)]
        ours = list({same.path: same for entry in found if (same := _same(entry, every))}.values())
        if not ours:
            raise DetectError(
                f"{_name(found[0])} is a detector of stock CK, a Python program (customize.py) that is not run here",
                hint=_instead(session, found[0])
                or f"there are detectors of ours for {', '.join(sorted({entry.alias for entry in every}))}",
            )
    first = [entry for entry in ours if entry.alias == ours[0].alias]
    if len(first) < len(ours):
        raise UsageError(f"{len(ours)} kinds match: {', '.join(map(_name, ours))}", hint="name one of them")
    return ours[0]  # repositories are searched in their order


def _kind(entry: Entry) -> str:
    """What a detector of ours looks for; empty for stock's, or one that cannot be read."""
    return str(_meta(entry).get("detect") or "")


def _meta(entry: Entry) -> Mapping[str, Any]:
    """The meta of a detector; empty if it cannot be read."""
    try:
        return entry.meta()
    except CKError:
        return {}


def _same(stock: Entry, ours: Sequence[Entry]) -> Entry | None:
    """Ours for the same: of the same name, with no tag that stock's lacks, or for the same Python module."""
    module, tags = python_module(_meta(stock)), _tags(stock)
    named = [entry for entry in ours if entry.alias == stock.alias]
    tagged = [entry for entry in ours if entry.tags() <= tags | _OF_OURS]
    packaged = [entry for entry in ours if module and module in _packages(entry)]
    return next(iter([*named, *sorted(tagged, key=lambda entry: -len(entry.tags())), *packaged]), None)


def _packages(entry: Entry) -> Sequence[str]:
    """The Python packages that a detector of ours looks for; none if it cannot be read."""
    try:
        return distributions(Fields(_meta(entry), entry.path / META))
    except CKError:
        return ()


def _tags(stock: Entry) -> frozenset[str]:
    """The tags of stock's detector, with those that it means where it looks for a Python module."""
    return stock.tags() | (_PYTHON if python_module(_meta(stock)) else frozenset())


def _instead(session: Session, stock: Entry) -> str:
    """How to get the Python package that stock's detector looks for; empty if no package of ours installs it."""
    if not python_module(_meta(stock)):
        return ""
    for tag in sorted(_tags(stock) - _PYTHON):
        tags = f"lib,python-package,{tag}"
        if find(session.repositories, "package", repository=default_repository_alias(), tags=tags):
            return f"`ck install package --tags={tags}` puts it into a venv; `ck show env` lists what a venv has"
    return ""


def _name(entry: Entry) -> str:
    return f"{entry.repository}:{entry.cid}"

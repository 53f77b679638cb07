"""Select our detector for a user's request: stock CK's are Python programs, which are never run."""

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

_OF_OURS = frozenset({"object-detection"})  # what our detectors are for, if stock CK's tags do not say
_PYTHON = frozenset({"lib", "python-package"})  # tags of every detector and package of a Python package


def detector(session: Session, found: Sequence[Entry]) -> Entry:
    """The single detector for the soft entries.

    Parameters
    ----------
    found
        The entries that match the user's names and tags, at least one.

    Raises
    ------
    UsageError
        If several match; the message lists them.
    DetectError
        If they are stock CK's, and no detector of ours is equivalent.
    """
    ours = [entry for entry in found if _kind(entry)]
    if not ours:
        every = [entry for entry in find(session.repositories, "soft") if _kind(entry)]
        ours = list({same.path: same for entry in found if (same := _same(entry, every))}.values())
        if not ours:
            raise DetectError(
                f"{_name(found[0])} is a detector of stock CK, a Python program (customize.py) that is not supported",
                hint=_instead(session, found[0])
                or f"supported detectors: {', '.join(sorted({entry.alias for entry in every}))}",
            )
    first = [entry for entry in ours if entry.alias == ours[0].alias]
    if len(first) < len(ours):
        raise UsageError(f"{len(ours)} kinds match: {', '.join(map(_name, ours))}", hint="name one of them")
    return ours[0]  # in the order of the repositories


def _kind(entry: Entry) -> str:
    """What a detector of ours detects; empty for stock CK's, and unreadable ones."""
    return str(_meta(entry).get("detect") or "")


def _meta(entry: Entry) -> Mapping[str, Any]:
    """The meta of a detector; empty if it cannot be read."""
    try:
        return entry.meta()
    except CKError:
        return {}


def _same(stock: Entry, ours: Sequence[Entry]) -> Entry | None:
    """Our equivalent detector: of the same name, with no tag that stock CK's lacks, or for the same Python module."""
    module, tags = python_module(_meta(stock)), _tags(stock)
    named = [entry for entry in ours if entry.alias == stock.alias]
    tagged = [entry for entry in ours if entry.tags() <= tags | _OF_OURS]
    packaged = [entry for entry in ours if module and module in _packages(entry)]
    return next(iter([*named, *sorted(tagged, key=lambda entry: -len(entry.tags())), *packaged]), None)


def _packages(entry: Entry) -> Sequence[str]:
    """The Python packages that a detector of ours searches for; none if it cannot be read."""
    try:
        return distributions(Fields(_meta(entry), entry.path / META))
    except CKError:
        return ()


def _tags(stock: Entry) -> frozenset[str]:
    """The tags of stock CK's detector, including implied ones for Python modules."""
    return stock.tags() | (_PYTHON if python_module(_meta(stock)) else frozenset())


def _instead(session: Session, stock: Entry) -> str:
    """How to get the Python package that stock CK's detector searches for; empty if no package of ours installs it."""
    if not python_module(_meta(stock)):
        return ""
    for tag in sorted(_tags(stock) - _PYTHON):
        tags = f"lib,python-package,{tag}"
        if find(session.repositories, "package", repository=default_repository_alias(), tags=tags):
            return f"`ck install package --tags={tags}` installs it into a venv; `ck show env` lists the packages of a venv"
    return ""


def _name(entry: Entry) -> str:
    return f"{entry.repository}:{entry.cid}"

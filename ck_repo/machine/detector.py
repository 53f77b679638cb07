"""Which detector of ours looks for what a user names: stock's are Python programs of a repository, and are never run."""

from __future__ import annotations

from collections.abc import Sequence

from ck_repo.errors import CKError, DetectError, UsageError
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find

_OF_OURS = frozenset({"object-detection"})  # what our detectors are for, where stock's tags do not say


def detector(repositories: Repositories, found: Sequence[Entry]) -> Entry:
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
        every = [entry for entry in find(repositories, "soft") if _kind(entry)]
        ours = list({same.path: same for entry in found if (same := _same(entry, every))}.values())
        if not ours:
            raise DetectError(
                f"{_name(found[0])} is a detector of stock CK, a Python program (customize.py) that is not run here",
                hint=f"there are detectors of ours for {', '.join(sorted({entry.alias for entry in every}))}",
            )
    first = [entry for entry in ours if entry.alias == ours[0].alias]
    if len(first) < len(ours):
        raise UsageError(f"{len(ours)} kinds match: {', '.join(map(_name, ours))}", hint="name one of them")
    return ours[0]  # repositories are searched in their order


def _kind(entry: Entry) -> str:
    """What a detector of ours looks for; empty for stock's, or one that cannot be read."""
    try:
        return str(entry.meta().get("detect") or "")
    except CKError:
        return ""


def _same(stock: Entry, ours: Sequence[Entry]) -> Entry | None:
    named = [entry for entry in ours if entry.alias == stock.alias]
    tagged = [entry for entry in ours if entry.tags() <= stock.tags() | _OF_OURS]
    return next(iter([*named, *sorted(tagged, key=lambda entry: -len(entry.tags()))]), None)


def _name(entry: Entry) -> str:
    return f"{entry.repository}:{entry.cid}"

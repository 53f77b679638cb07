"""Which of our own packages does what another repository's package is for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ck_repo.resolve.component import Component

_SHARED = 3  # tags; two that are alike share a kind, such as lib,python-package, and what they are
_PART = 0.75  # of the tags of ours
_VERSION = re.compile(r"v(\d.*|master|trunk)|channel-.*")  # tags by which stock tells versions apart


def counterpart(component: Component, packages: Iterable[Component], own: Collection[str]) -> str:
    """The alias of the package of ours whose tags are most like a component's; empty if none is.

    Parameters
    ----------
    own
        Aliases of our own repositories.
    """
    theirs = {tag for tag in component.tags - {component.entry.alias} if not _VERSION.fullmatch(tag)}
    best, score = "", 0.0
    for package in packages:
        if package.entry.repository not in own or package.conversion or package.full_name == component.full_name:
            continue
        ours = package.tags - {package.entry.alias}
        possible = ours.union(*({row.name, *row.tags} for row in package.variations.values()))
        shared = len(theirs & possible)
        part = len(theirs & ours) / max(len(ours), 1)
        alike = part >= _PART or theirs <= ours
        if shared >= min(_SHARED, len(ours)) and alike and shared + part > score:
            best, score = package.entry.alias, shared + part
    return best

"""Find our own package with the purpose of another repository's package."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ck_repo.resolve.component import Component

_SHARED = 3  # minimum number of common tags: the kind, such as lib,python-package, and the name
_PART = 0.75  # minimum share of our package's tags
_VERSION = re.compile(r"v(\d.*|master|trunk)|channel-.*")  # tags for versions in stock CK


def counterpart(component: Component, packages: Iterable[Component], own: Collection[str]) -> str:
    """The alias of our package with the most similar tags; empty if none is similar.

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

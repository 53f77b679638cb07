"""The Python packages of a venv that have given tags: those of their package entries."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.environment.venv import Venv, read_context
from ck_repo.resolve.candidates import candidates
from ck_repo.resolve.need import Need
from ck_repo.resolve.versions import satisfies
from ck_repo.session import Session
from ck_repo.store.entry import tag_list


@dataclass(frozen=True)
class Present:
    """A Python package of a venv.

    Attributes
    ----------
    name, version
        Name and version in the venv.
    tags
        Tags of the package entry for it.
    """

    name: str
    version: str
    tags: frozenset[str]


def present_packages(session: Session, venv: Venv, tags: str) -> list[Present]:
    """The Python packages of a venv with the tags, without repetitions, the best match first."""
    from packaging.utils import canonicalize_name

    have = read_context(session, venv)
    found: dict[str, Present] = {}
    for row in candidates(have, Need.parse(tag_list(tags), "", "you"), "", frozenset(have.python_packages)).candidates:
        name = str(canonicalize_name(row.variant.python_package)) if row.variant.python_package else ""
        version = have.python_packages.get(name, "")
        if version and satisfies(version, row.version):
            found.setdefault(name, Present(row.variant.python_package, version, row.variant.tags))
    return list(found.values())

"""The available components, read from disk before resolving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ck_repo.resolve.catalogue import Catalogue
from ck_repo.store.installed import Installed


@dataclass(frozen=True)
class Context:
    """The components for meeting needs.

    Attributes
    ----------
    packages
        The package entries.
    registered
        Registered components, the latest first.
    installed
        Installed packages, by key.
    python_packages
        Name (normalised) and version of the venv's packages.
    python
        The version of the venv's Python; empty if there is no venv.
    own
        Aliases of the repositories whose packages take precedence: the user's `local`, and ours.
    """

    packages: Catalogue
    registered: Sequence[Installed] = ()
    installed: Mapping[str, Installed] = field(default_factory=dict)
    python_packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    own: frozenset[str] = frozenset()

"""What is there already, as read from the disk before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ck_repo.resolve.catalogue import Catalogue
from ck_repo.store.installed import Installed


@dataclass(frozen=True)
class Surroundings:
    """What a need can be met with.

    Attributes
    ----------
    packages
        The package entries.
    registered
        What the user registered, the latest first.
    installed
        What packages made, by its key.
    python_packages
        Name (normalised) to version, of what the venv has.
    python
        The version of the venv's Python; empty if there is no venv.
    own
        Aliases of the repositories whose packages come before every other repository's: the user's `local`, and ours.
    """

    packages: Catalogue
    registered: Sequence[Installed] = ()
    installed: Mapping[str, Installed] = field(default_factory=dict)
    python_packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    own: frozenset[str] = frozenset()

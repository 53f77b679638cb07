"""What all parts of a command share: one value, made when the command begins, and passed on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ck_repo.store.repositories import Repositories


@dataclass(frozen=True)
class Session:
    """A command's repositories and permissions.

    Functions of the rooms above `store` take it as their first argument. Those of `store` take what they need of it.

    Attributes
    ----------
    repositories
        The repositories on this machine, read from disk once.
    trust
        Whether the user allowed code of other repositories to run (``--trust``).
    """

    repositories: Repositories = field(default_factory=Repositories)
    trust: bool = False

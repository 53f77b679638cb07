"""What all parts of a command share: created when the command starts, and passed on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ck_repo.store.repositories import Repositories


@dataclass(frozen=True)
class Session:
    """A command's repositories and permissions.

    Functions of the layers above `store` take it as their first argument. Those of `store` take the parts that they need.

    Attributes
    ----------
    repositories
        The repositories on this machine, read from disk once.
    trust
        Whether the user allowed code of other repositories to run (``--trust``).
    """

    repositories: Repositories = field(default_factory=Repositories)
    trust: bool = False

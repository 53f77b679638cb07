"""Whether the network may be used at all: not with ``--offline`` (or CK_OFFLINE=1)."""

from __future__ import annotations

import os

from ck_repo.errors import OfflineError

_VARIABLE = "CK_OFFLINE"


def go_offline() -> None:
    """Keep this process, and those that it starts, from the network."""
    os.environ[_VARIABLE] = "1"


def is_offline() -> bool:
    """Whether the network is off limits."""
    return os.environ.get(_VARIABLE, "").lower() in ("1", "yes", "true", "on")


def refuse_offline(what: str, hint: str = "") -> None:
    """Raise if the network is off limits.

    Parameters
    ----------
    what
        What would be fetched, and from where.
    hint
        How to have it without the network.
    """
    if is_offline():
        raise OfflineError(
            f"{what} is missing here, and --offline keeps from the network",
            hint=hint
            or "run the command once without --offline, or bring a bundle: `ck bundle venv` on a machine with network",
        )

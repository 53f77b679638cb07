"""Whether the network may be used at all: not with ``--offline`` (or CK_OFFLINE=1)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ck_repo.errors import OfflineError

_VARIABLE = "CK_OFFLINE"


def go_offline() -> None:
    """Keep this process, and those that it starts, from the network."""
    os.environ[_VARIABLE] = "1"


@contextmanager
def scope(*, offline: bool) -> Iterator[None]:
    """Restore at the end of the block whether the network may be used; with `offline` it may not within the block."""
    before = os.environ.get(_VARIABLE)
    if offline:
        go_offline()
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before


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

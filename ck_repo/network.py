"""Whether the network may be used: not with ``--offline`` (or CK_OFFLINE=1)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ck_repo.errors import OfflineError

_VARIABLE = "CK_OFFLINE"


def go_offline() -> None:
    """Disable the network for this process and its children."""
    os.environ[_VARIABLE] = "1"


@contextmanager
def scope(*, offline: bool) -> Iterator[None]:
    """Restore the setting at the end of the block; with `offline` the network is disabled within the block."""
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
    """Whether the network is disabled."""
    return os.environ.get(_VARIABLE, "").lower() in ("1", "yes", "true", "on")


def refuse_offline(what: str, hint: str = "") -> None:
    """Raise if the network is disabled.

    Parameters
    ----------
    what
        What would be downloaded, and from where.
    hint
        How to get it without the network.
    """
    if is_offline():
        raise OfflineError(
            f"{what} is not on this machine, and --offline disables the network",
            hint=hint
            or "run the command once without --offline, or transfer a bundle: `ck bundle venv` on a machine with network",
        )

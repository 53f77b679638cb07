"""``--busy=`` and ``--settle=``: when a machine is ready for a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ck_repo.actions.declare import Option
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError

if TYPE_CHECKING:
    from ck_repo.campaign.settling import Settling

READINESS = (
    Option("busy", "share of the CPU time that other programs may use, from 0 to 1 (default 0.1)", kind="number", minimum=0),
    Option(
        "settle",
        "seconds that a busy, hot or throttled machine may wait before it is skipped (default 120; 0 does not check)",
        kind="number",
        minimum=0,
    ),
)


def read_settling(request: Request, busy: float | None = None, seconds: float | None = None) -> Settling:
    """What a request says about machines that are not ready.

    Parameters
    ----------
    busy, seconds
        The values where the request has none; None for the defaults.
    """
    from ck_repo.campaign.settling import BUSY, Settling, usual_seconds

    given = [request.number("busy"), busy, BUSY]
    share = next(value for value in given if value is not None)
    if not 0 <= share <= 1:
        raise UsageError(f"busy is {share:g}, which is not between 0 and 1", hint="omit it for 0.1; 1 allows any load")
    wait = next((value for value in (request.number("settle"), seconds) if value is not None), None)
    if wait is not None and wait < 0:
        raise UsageError(f"settle is {wait:g}, which is negative", hint="omit it for 120 s; 0 does not check")
    return Settling(share, usual_seconds() if wait is None else wait)

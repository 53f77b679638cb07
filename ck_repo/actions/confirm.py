"""Ask before something is done that a user may not want."""

from __future__ import annotations

import sys

from ck_repo.actions.request import Request
from ck_repo.errors import UsageError
from ck_repo.printable import printable


def confirm(request: Request, what: str) -> None:
    """Ask on a terminal, unless told not to; elsewhere go on.

    Raises
    ------
    UsageError
        If the user says no.
    """
    if _agreed(request) or not _may_ask(request):
        return
    _ask(what)


def confirm_removal(request: Request, what: str, *, named: bool) -> None:
    """Ask on a terminal; elsewhere what was not named one by one is removed with ``--force`` only.

    Parameters
    ----------
    named
        Whether the user named what is removed, and not a pattern or tags.

    Raises
    ------
    UsageError
        If the user says no, or cannot be asked.
    """
    if _agreed(request):
        return
    if _may_ask(request):
        _ask(what)
    elif not named:
        raise UsageError(f"not asked: {what}? Nothing was changed", hint="--force removes without asking")


def _agreed(request: Request) -> bool:
    return request.flag("quiet") or request.flag("force")


def _may_ask(request: Request) -> bool:
    return request.text("out") != "json" and sys.stdin.isatty()


def _ask(what: str) -> None:
    print(printable(f"{what}? [y/N] "), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was changed")

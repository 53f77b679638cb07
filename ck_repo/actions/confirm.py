"""Confirmation prompts."""

from __future__ import annotations

import sys

from ck_repo.actions.request import Request
from ck_repo.errors import UsageError
from ck_repo.printable import printable


def confirm(request: Request, what: str) -> None:
    """Ask on a terminal, unless prompts are disabled; without a terminal continue.

    Raises
    ------
    UsageError
        If the user says no.
    """
    if _agreed(request) or not _may_ask(request):
        return
    _ask(what)


def confirm_removal(request: Request, what: str, *, named: bool) -> None:
    """Ask on a terminal; without one, entries selected by patterns or tags are only removed with ``--force``.

    Parameters
    ----------
    named
        Whether the user named the entries, and used no pattern or tags.

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
        raise UsageError(f"confirmation needed: {what}? Nothing was changed", hint="--force removes without confirmation")


def _agreed(request: Request) -> bool:
    return request.flag("quiet") or request.flag("force")


def _may_ask(request: Request) -> bool:
    return request.text("out") != "json" and sys.stdin.isatty()


def _ask(what: str) -> None:
    print(printable(f"{what}? [y/N] "), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was changed")

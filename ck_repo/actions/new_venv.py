"""Confirmation before creating a venv whose name may be a typo."""

from __future__ import annotations

from difflib import get_close_matches

from ck_repo.actions.confirm import confirm
from ck_repo.actions.request import Request
from ck_repo.store.repositories import LOCAL
from ck_repo.store.search import find


def confirm_new_venv(request: Request) -> None:
    """Report that a named venv will be created, and ask on a terminal, if there are venvs but none of that name.

    Raises
    ------
    UsageError
        If the user declines.
    """
    from ck_repo import progress

    name = request.text("venv")
    known = [entry.alias for entry in find(request.session.repositories, "venv", repository=LOCAL)] if name else []
    if not known or name in known:
        return
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    others = f"did you mean --venv={near[0]}?" if near else f"there {'are' if len(known) > 1 else 'is'} {', '.join(known[:6])}"
    progress.say(f"there is no venv:{name}, so a new one will be created; {others}")
    confirm(request, f"create a new venv:{name}")

"""The option --round= of the actions for which a round's rules count."""

from __future__ import annotations

from ck_repo.actions.declare import Option
from ck_repo.actions.request import Request
from ck_repo.rounds.round import DEFAULT, Round, load_round, round_names

ROUND = Option("round", f"the round whose rules count (default {DEFAULT})", choices=round_names(), value=DEFAULT)


def round_of(request: Request) -> Round:
    """The round that was asked for."""
    return load_round(request.text("round") or DEFAULT)

"""The option --round= of the actions that depend on a round's rules."""

from __future__ import annotations

from ck_repo.actions.declare import Option
from ck_repo.actions.request import Request
from ck_repo.rounds.round import DEFAULT, Round, load_round, round_names

ROUND = Option("round", f"the round whose rules apply (default {DEFAULT})", choices=round_names(), value=DEFAULT)


def round_of(request: Request) -> Round:
    """The requested round."""
    return load_round(request.text("round") or DEFAULT)

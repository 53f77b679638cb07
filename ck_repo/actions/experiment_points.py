"""Experiments: the points that one has."""

from __future__ import annotations

from ck_repo.actions.declare import REPOSITORY, Actions, Answer, action
from ck_repo.actions.entry import one, row_of
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "list_points",
    "the tests of a run, or the points of an experiment that another CK recorded",
    example="ck list_points experiment:mlperf-result1",
    options=[REPOSITORY],
)
def list_points(request: Request) -> Answer:
    """List points."""
    from ck_repo.record.points import points_of

    entry = one(request)
    points = points_of(entry)
    return Answer({**row_of(entry), "points": points}, points)

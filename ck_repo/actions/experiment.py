"""Experiments: list, show."""

from __future__ import annotations

from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, action, table_lines
from ck_repo.actions.entry import matching, row_of
from ck_repo.actions.request import Request
from ck_repo.errors import NotFoundError
from ck_repo.store.query import is_pattern

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "ls",
    "every recorded run with its figures",
    example="ck ls experiment --tags=offline",
    options=[TAGS, REPOSITORY],
)
def ls(request: Request) -> Answer:
    """List experiments, the oldest first."""
    from ck_repo.report.experiment_table import summary_line

    entries = matching(request, needed=not is_pattern(request.entry))
    rows = sorted(((*summary_line(entry.meta())[::-1], entry) for entry in entries), key=lambda row: (row[0], row[-1].alias))
    table = [(row[-1].alias, *row[-2::-1]) for row in rows]
    header = ("experiment", "model", "scenario", "mAP", "performance", "recorded")
    return Answer(
        {"lst": [row_of(row[-1]) for row in rows]},
        table_lines(header, table) if rows else ["no experiment yet: `ck run program:object-detection`"],
    )


@action(
    ACTIONS,
    "show",
    "an experiment as a table; the latest if none is named",
    example="ck show experiment:mlperf-result1",
    options=[TAGS, REPOSITORY],
)
def show(request: Request) -> Answer:
    """Show results, machine, venv and origin of an experiment."""
    from ck_repo.report.experiment_table import experiment_lines

    entries = matching(request, needed=not is_pattern(request.entry))
    if not entries:
        raise NotFoundError("no experiment yet", hint="`ck run program:object-detection` makes one")
    chosen = entries if request.entry else [max(entries, key=lambda entry: str(entry.meta().get("recorded", "")))]
    lines = []
    for entry in chosen:
        lines += ["", *experiment_lines(entry.alias, entry.meta()), f"folder: {entry.path}"]
    return Answer({**row_of(chosen[0]), "dict": chosen[0].meta(), "lst": [row_of(entry) for entry in chosen]}, lines[1:])

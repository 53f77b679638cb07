"""Templates of venvs."""

from __future__ import annotations

from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, action, table_lines
from ck_repo.actions.entry import matching, row_of
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(ACTIONS, "ls", "every template", example="ck ls venv.template", options=[TAGS, REPOSITORY])
def ls(request: Request) -> Answer:
    """List templates with their Python range and what they hold."""
    from ck_repo.venv.template import read_template

    entries = matching(request, needed=bool(request.entry))
    rows = [read_template(entry) for entry in entries]
    table = [(row.name, row.python, row.description) for row in rows]
    return Answer({"lst": [row_of(entry) for entry in entries]}, table_lines(("template", "Python", "description"), table))

"""Templates of venvs."""

from __future__ import annotations

from ck_repo.actions.declare import LISTING, REPOSITORY, TAGS, Actions, Answer, action
from ck_repo.actions.entry_data import rows_of
from ck_repo.actions.entry_selection import matching
from ck_repo.actions.request import Request
from ck_repo.errors import CKError
from ck_repo.table import table_lines

ACTIONS: Actions = {}


@action(ACTIONS, "ls", "list the templates", example="ck ls venv.template", options=[TAGS, REPOSITORY, *LISTING])
def ls(request: Request) -> Answer:
    """List templates with their repository, range of Python versions and description."""
    from ck_repo.environment.template import read_template

    entries = matching(request, needed=bool(request.entry))
    table = []
    for entry in entries:
        try:
            row = read_template(entry)
            table.append((entry.alias, entry.repository, row.python, row.description))
        except CKError as error:  # an incomplete one does not hide the others
            table.append((entry.alias, entry.repository, "-", error.what))
    return Answer({"lst": rows_of(request, entries)}, table_lines(("template", "repository", "Python", "description"), table))

"""Restore removed entries."""

from __future__ import annotations

from ck_repo.actions.declare import REPOSITORY, Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.request import Request
from ck_repo.errors import NotFoundError, did_you_mean
from ck_repo.table import table_lines

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "restore",
    "restore entries that were removed in the last 14 days; without a name list them",
    example="ck restore experiment:mlperf-result1",
    usage="ck restore MODULE[:NAME | :PATTERN] [--dry-run]",
    options=[REPOSITORY, Option("dry-run", "list what would be restored, and do nothing", kind="flag")],
)
def restore(request: Request) -> Answer:
    """Restore entries; of several with the same name the last removed one."""
    from ck_repo.install.to_fetch import readable
    from ck_repo.store import bin as rubbish

    repositories = request.session.repositories
    rows = [repositories.get(request.repository)] if request.repository else repositories.all()
    every = [found for row in rows for found in rubbish.removed(row, request.module)]
    chosen = [found for row in rows for found in rubbish.removed(row, request.module, request.entry)]
    if request.entry and not chosen:
        raise NotFoundError(
            f"there is no removed {request.target.text}",
            hint=did_you_mean(request.entry, [found.alias for found in every]) or "removed entries are kept for a limited time",
        )
    if not request.entry or request.flag("dry_run"):
        table = [(found.cid, found.repository.alias, found.date, readable(found.size)) for found in chosen]
        data = [{"cid": found.cid, "data_uid": found.uid, "repo_uoa": found.repository.alias, "removed": found.date,
                 "size": found.size} for found in chosen]  # fmt: skip
        lines = table_lines(("removed entry", "repository", "when", "size"), table)
        return Answer({"lst": data}, lines if table else [f"there is no removed {request.module}"])
    latest = {(found.repository.alias, found.alias): found for found in reversed(chosen)}  # newest first in `chosen`
    done = [rubbish.restore(found) for found in latest.values()]
    return Answer({"lst": [row_of(entry) for entry in done]}, [f"restored {entry.cid} in {entry.path}" for entry in done])

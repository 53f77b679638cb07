"""Repositories: what is known of one; and what CK needed after a change."""

from __future__ import annotations

from ck_repo.actions.declare import Actions, Answer, action
from ck_repo.actions.repo import named, row_of
from ck_repo.actions.request import Request
from ck_repo.store.git_state import commit_of

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "show",
    "names, folder, origin, commit and number of entries of a repository, or of all",
    example="ck show repo:local",
)
def show(request: Request) -> Answer:
    """Describe repositories."""
    from ck_repo.store.naming import count_entries

    data, lines = [], []
    for row in named(request):
        counts = count_entries(row)
        commit = commit_of(row.path)
        data.append({**row_of(row), "commit": commit, "entries": counts})
        told = ", ".join(f"{count} {module}" for module, count in counts.items())
        lines += ["", f"{row.alias} ({row.uid})", f"  folder: {row.path}"]
        lines += [f"  {name}: {value}" for name, value in (("url", row.url), ("commit", commit), ("entries", told)) if value]
    return Answer({"lst": data, **(data[0] if data else {})}, lines[1:])


@action(ACTIONS, "recache", "not needed: every command reads the repositories as they are", example="ck recache repo")
def recache(request: Request) -> Answer:
    """Say that there is nothing to do."""
    note = "not needed: every command reads the repositories as they are"
    return Answer({"note": note}, [note])

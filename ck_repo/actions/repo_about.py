"""Repositories: description, and commands that only CK needs."""

from __future__ import annotations

from ck_repo.actions.declare import Actions, Answer, action
from ck_repo.actions.repo import named, row_of
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError
from ck_repo.store.git_state import commit_of
from ck_repo.store.modules import module_uid
from ck_repo.store.query import is_pattern
from ck_repo.store.repository import Repository

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "show",
    "show names, folder, origin, commit and number of entries of one repository, or of all",
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
        summary = ", ".join(f"{count} {module}" for module, count in counts.items())
        lines += ["", f"{row.alias} ({row.uid})", f"  folder: {row.path}"]
        lines += [f"  {name}: {value}" for name, value in (("url", row.url), ("commit", commit), ("entries", summary)) if value]
    return Answer({"lst": data, **(data[0] if data else {})}, lines[1:])


def _one(request: Request) -> Repository:
    """The single repository that a request selects."""
    if is_pattern(request.entry):
        raise UsageError(f"`ck {request.action} repo` needs the name of one repository", hint="`ck ls repo` lists them")
    return named(request)[0]


@action(ACTIONS, "uid", "print the UID of a repository", example="ck uid repo:local")
def uid(request: Request) -> Answer:
    """Print the UID."""
    row = _one(request)
    return Answer(row_of(row), [row.uid])


@action(ACTIONS, "cid", "print the UIDs of module and repository, MODULE_UID:REPOSITORY_UID", example="ck cid repo:local")
def cid(request: Request) -> Answer:
    """Print the CID with UIDs; the JSON has the names, too."""
    row = _one(request)
    by_uid = f"{module_uid('repo')}:{row.uid}"
    return Answer({**row_of(row), "cuoa": f"repo:{row.alias}", "cid": by_uid}, [by_uid])


@action(
    ACTIONS,
    "cd",
    "print the folder of a repository, for a shell",
    example="ck cd repo:local",
    usage='ck cd repo:NAME; in a shell: cd "$(ck cd repo:NAME)"',
)
def cd(request: Request) -> Answer:
    """Print the folder; a command cannot change the folder of its shell."""
    row = _one(request)
    return Answer(row_of(row), [str(row.path)])


@action(ACTIONS, "recache", "accepted, no effect: every command reads the repositories again", example="ck recache repo")
def recache(request: Request) -> Answer:
    """Report that nothing has to be done."""
    note = "nothing to do: every command reads the repositories again"
    return Answer({"note": note}, [note])

"""Names and content of entries: UID, CID, folder, files, tags."""

from __future__ import annotations

from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import matching, one
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(ACTIONS, "uid", "print the UID of an entry", example="ck uid package:model-demo-ssd", options=[REPOSITORY])
def uid(request: Request) -> Answer:
    """Print the UID."""
    entry = one(request)
    return Answer(row_of(entry), [entry.uid])


@action(
    ACTIONS,
    "cid",
    "print the UIDs of module and entry, MODULE_UID:ENTRY_UID",
    example="ck cid package:model-demo-ssd",
    options=[REPOSITORY],
)
def cid(request: Request) -> Answer:
    """Print the CID with UIDs; the JSON has the other names, too."""
    from ck_repo.store.naming import uid_names

    entry = one(request)
    names = uid_names(request.session.repositories, entry)
    return Answer({**row_of(entry), **names}, [names["cid"]])


@action(
    ACTIONS,
    "cd",
    "print the folder of an entry, for a shell",
    example="ck cd program:object-detection",
    usage='ck cd MODULE:ENTRY; in a shell: cd "$(ck cd MODULE:ENTRY)"',
    options=[REPOSITORY],
)
def cd(request: Request) -> Answer:
    """Print the folder; a command cannot change the folder of its shell."""
    entry = one(request)
    return Answer(row_of(entry), [str(entry.path)])


@action(ACTIONS, "list_files", "list files of an entry", example="ck list_files package:model-demo-ssd", options=[REPOSITORY])
def list_files(request: Request) -> Answer:
    """List files, relative to the entry's folder."""
    from ck_repo.store.naming import files_of

    entry = one(request)
    files = files_of(entry)
    return Answer({**row_of(entry), "list": files}, files)


@action(
    ACTIONS,
    "list_tags",
    "list the tags of matching entries",
    example="ck list_tags package --tags=model",
    options=[TAGS, Option("search_string", "part of the name or of a tag", value="TEXT"), REPOSITORY],
)
def list_tags(request: Request) -> Answer:
    """List tags, sorted."""
    found = matching(request, needed=False)
    tags = sorted({tag for entry in found for tag in entry.tags()})
    return Answer({"tags": tags, "lst": [row_of(entry) for entry in found]}, tags)

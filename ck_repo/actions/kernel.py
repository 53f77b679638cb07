"""Actions without a module."""

from __future__ import annotations

import os

from ck_repo import __version__
from ck_repo.actions.completion_script import SCRIPTS
from ck_repo.actions.declare import LISTING, REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(ACTIONS, "version", "print the version of this package", example="ck version")
def version(request: Request) -> Answer:
    """Print the version."""
    return Answer({"version": __version__}, [__version__])


@action(ACTIONS, "ls", "list the modules that have entries", example="ck ls", options=[REPOSITORY])
def ls(request: Request) -> Answer:
    """List modules."""

    repositories = request.session.repositories
    rows = [repositories.get(request.repository)] if request.repository else repositories.all()
    names = sorted({name for row in rows for name in row.modules()})
    return Answer({"lst": names}, names)


@action(
    ACTIONS,
    "search",
    "search entries of all modules by tags",
    example="ck search --tags=coco,2017,-preprocessed",
    options=[TAGS, REPOSITORY, *LISTING],
)
def search(request: Request) -> Answer:
    """Search all modules."""
    from ck_repo.actions import entry_list

    return entry_list.search(request.with_module("*"))


@action(ACTIONS, "uid", "print a new UID, 16 hexadecimal digits", example="ck uid")
def uid(request: Request) -> Answer:
    """Generate a UID."""
    from ck_repo.store.uid import new_uid

    made = new_uid()
    return Answer({"data_uid": made}, [made])


@action(ACTIONS, "cid", "print the UIDs of module and entry of the current folder", example="ck cid")
def cid(request: Request) -> Answer:
    """Print the entry that contains the working directory."""
    from pathlib import Path

    from ck_repo.actions.entry_data import row_of
    from ck_repo.store.naming import entry_at, uid_names

    entry = entry_at(request.session.repositories, Path.cwd())
    names = uid_names(request.session.repositories, entry)
    return Answer({**row_of(entry), **names}, [names["cid"]])


@action(
    ACTIONS,
    "completion",
    "print the script that a shell evaluates to complete commands, entries and tags",
    example="ck completion --shell=bash",
    usage="ck completion [--shell=bash|zsh|fish]; in ~/.bashrc: source <(ck completion --shell=bash)",
    options=[Option("shell", "the shell (default: the current one)", value="bash", choices=tuple(SCRIPTS))],
)
def completion(request: Request) -> Answer:
    """Print a script; nothing is installed."""
    from pathlib import Path

    own = Path(os.environ.get("SHELL", "")).name
    script = SCRIPTS[request.text("shell") or (own if own in SCRIPTS else "bash")]
    return Answer({"script": script}, script.rstrip().splitlines())

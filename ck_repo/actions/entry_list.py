"""Actions that list and read entries: names, folders, contents."""

from __future__ import annotations

from collections.abc import Mapping

from ck_repo.actions.declare import LISTING, REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_data import content_of, place_of, row_of, rows_of
from ck_repo.actions.entry_selection import SEARCHED, matching, one
from ck_repo.actions.request import Request
from ck_repo.store.entry import Entry
from ck_repo.store.query import is_pattern

ACTIONS: Actions = {}
NAMES = (
    Option("print_full", "names with repository and module", kind="flag", aliases=("all",)),
    Option("print_uid", "names with the UID", kind="flag"),
    Option("print_name", "the readable name first, from info.json", kind="flag", aliases=("name",)),
    Option("limit_size", "list at most N entries; 0 or -1: all", kind="integer", minimum=-1, value="N"),
)


def listed(request: Request, entries: list[Entry], *, with_module: bool = False) -> Answer:
    """A list of entries as an answer: names, or with `with_module` their shortest unambiguous names."""
    from ck_repo.store.naming import unambiguous_names

    chosen = entries[: limit(request)]
    rows = rows_of(request, chosen)
    called = unambiguous_names(request.session.repositories, chosen) if with_module else [entry.alias for entry in chosen]
    names = [shown_name(request, *each) for each in zip(chosen, rows, called, strict=True)]
    return Answer({"lst": rows, **cut_short(len(chosen) < len(entries))}, names)


def limit(request: Request) -> int | None:
    """The maximum length of a list; None for no limit."""
    maximum = request.integer("limit_size") or 0
    return maximum if maximum > 0 else None


def cut_short(cut: bool) -> dict[str, str]:
    """CK's key for a truncated list."""
    return {"timed_out": "yes"} if cut else {}


def shown_name(request: Request, entry: Entry, row: Mapping[str, object], called: str) -> str:
    """A line for an entry in a list."""
    name = f"{entry.repository}:{entry.cid}" if request.flag("print_full") else called
    if request.flag("print_uid"):
        name += f" ({entry.uid})"
    if request.flag("print_name") and row.get("data_name"):
        name = f"{row['data_name']} ({name})"
    return name


@action(ACTIONS, "ls", "list names of entries", example="ck ls package:model-*", options=[TAGS, REPOSITORY, *LISTING, *NAMES])
def ls(request: Request) -> Answer:
    """List entries; a wildcard without matches gives an empty list."""
    return listed(request, matching(request, needed=not is_pattern(request.entry)))


@action(
    ACTIONS,
    "search",
    "list entries with these tags",
    example="ck search package --tags=model,object-detection,-onnx",
    options=[*SEARCHED, *LISTING, *NAMES],
)
def search(request: Request) -> Answer:
    """Search by tags; without matches the list is empty."""
    return listed(request, matching(request, needed=False), with_module=True)


@action(
    ACTIONS,
    "find",
    "print the folder of an entry",
    example="ck find venv:mlperf-inference",
    options=[TAGS, REPOSITORY, *LISTING],
)
def where(request: Request) -> Answer:
    """Print the folder of each entry."""
    found = matching(request)
    data = {**place_of(found[0]), "lst": rows_of(request, found), "number_of_entries": len(found)}
    return Answer(data, [str(entry.path) for entry in found])


@action(
    ACTIONS,
    "load",
    "print the meta.json of an entry",
    example="ck load program:object-detection --out=json",
    options=[REPOSITORY],
)
def load_one(request: Request) -> Answer:
    """Print meta.json."""
    import json

    data = content_of(one(request))
    return Answer(data, [json.dumps(data["dict"], indent=2, sort_keys=True, ensure_ascii=False)])


@action(ACTIONS, "info", "show names, UID, tags and folder", example="ck info package:model-demo-ssd", options=[REPOSITORY])
def info(request: Request) -> Answer:
    """Print names, UID, tags and folder."""
    entry = one(request)
    tags, data = sorted(entry.tags()), content_of(entry)
    lines = [f"{key}: {value}" for key, value in row_of(entry).items()]
    return Answer({**data, "tags": tags}, [*lines, f"tags: {','.join(tags)}"])

"""Write packages: create one from a template, and check it."""

from __future__ import annotations

from ck_repo.actions import entry_change
from ck_repo.actions.declare import REPOSITORY, Actions, Answer, Option, action
from ck_repo.actions.entry_data import content_of, row_of
from ck_repo.actions.entry_selection import one
from ck_repo.actions.request import Request
from ck_repo.errors import ConfigError, UsageError
from ck_repo.resolve.scaffold import SCAFFOLDS, readme
from ck_repo.store import writing
from ck_repo.store.entry import tag_list

ACTIONS: Actions = {}
_ADD = entry_change.ACTIONS["add"]


@action(
    ACTIONS,
    "add",
    "add a package, empty or from a template to complete",
    example="ck add package:model-mine --template=model",
    options=[
        Option(
            "template",
            "the kind of package, for a template of meta.json and README.md",
            choices=tuple(SCAFFOLDS),
            value="model",
        ),
        *_ADD.options,
    ],
)
def add(request: Request) -> Answer:
    """Add a package."""
    kind = request.text("template")
    if not kind:
        return entry_change.add(request)
    if not request.entry:
        raise UsageError("no name was given", hint=f"`ck add package:NAME --template={kind}`")
    meta = writing.merged(SCAFFOLDS[kind](request.entry), entry_change.meta_of(request))
    meta["tags"] = list(dict.fromkeys([*tag_list(meta["tags"]), *tag_list(request.text("tags"))]))
    entry = writing.create_entry(
        request.session.repositories.writable(request.repository), request.module, request.entry, meta,
        uid=entry_change.uid_of(request), name=request.text("data_name"), files={"README.md": readme(kind, request.entry)},
    )  # fmt: skip
    lines = [f"added {entry.cid} ({entry.uid}) in {entry.path}", f"complete .cm/meta.json, then `ck check {entry.cid}`"]
    return Answer(content_of(entry), lines)


@action(
    ACTIONS,
    "check",
    "check a package for errors and missing data; exit status 3 if there are any",
    example="ck check package:model-mine",
    options=[REPOSITORY],
)
def check(request: Request) -> Answer:
    """Check a package without installing it."""
    from ck_repo.machine.survey import survey
    from ck_repo.resolve.package_check import check_package

    entry = one(request)
    found = check_package(entry, survey(request.session))
    data = {**row_of(entry), "faults": found}
    if not found:
        return Answer(data, [f"{entry.cid} is complete"])
    text = f"{entry.cid} is not complete: {len(found)} error{'s' if len(found) > 1 else ''}"
    return Answer({"error": text, **data}, [f"{text}:", *(f"  {line}" for line in found)], status=ConfigError.code)

"""Actions that change entries: add, update, remove, copy, move, rename."""

from __future__ import annotations

from collections.abc import Callable

from ck_repo.actions.confirm import confirm_removal
from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_data import content_of, row_of
from ck_repo.actions.entry_selection import matching, one
from ck_repo.actions.request import Request, Target
from ck_repo.errors import ConflictError, UsageError
from ck_repo.store import writing
from ck_repo.store.entry import META, Entry, tag_list, tags_of
from ck_repo.store.modules import canonical_module
from ck_repo.store.query import is_pattern
from ck_repo.store.repositories import default_repository_alias
from ck_repo.store.repository import Repository

ACTIONS: Actions = {}
_DICT = Option("dict", 'keys of meta.json: --dict.KEY=value, or a JSON object with @@@{"dict": {…}}', kind="json")


@action(
    ACTIONS,
    "add",
    "add an entry",
    example="ck add dataset:mine --tags=coco,mine --dict.source=lab",
    options=[
        Option("tags", "its tags", value="a,b,c"),
        _DICT,
        Option("data_name", "a readable name", value="TEXT"),
        Option("data_uid", "its UID, 16 hexadecimal digits (default: random)", value="UID"),
        Option("repo_uoa", "the repository to write to (default local)", value="NAME", aliases=("repo",)),
        Option("update", "if the entry exists, change it like `ck update`", kind="flag"),
        Option("substitute", "with --update: replace meta.json instead of merging", kind="flag"),
    ],
)
def add(request: Request) -> Answer:
    """Add an entry."""
    if request.flag("update") and request.entry and matching(request, needed=False):
        return update(request)
    meta = meta_of(request)
    if request.text("tags"):
        meta["tags"] = tag_list(request.text("tags"))
    entry = writing.create_entry(
        request.session.repositories.writable(request.repository),
        request.module,
        request.entry,
        meta,
        uid=uid_of(request),
        name=request.text("data_name"),
    )
    return Answer(content_of(entry), [f"added {entry.cid} ({entry.uid}) in {entry.path}"])


def uid_of(request: Request) -> str:
    """The UID in ``--data_uid=``; empty without one."""
    from ck_repo.store.uid import is_uid

    uid = request.text("data_uid")
    if uid and not is_uid(uid):
        raise UsageError(f"--data_uid={uid} is not 16 hexadecimal digits (0-9, a-f)")
    return uid


def meta_of(request: Request) -> dict[str, object]:
    """The keys of ``--dict``."""
    value = request.options.get("dict") or {}
    if not isinstance(value, dict):
        raise UsageError("--dict has to be an object", hint='--dict.KEY=value, or @@@{"dict": {"KEY": "value"}}')
    return dict(value)


@action(
    ACTIONS,
    "update",
    "change an entry's meta.json",
    example="ck update dataset:mine --tags=checked",
    options=[
        Option("tags", "tags to add; with --substitute they replace the existing tags", value="a,b,c"),
        _DICT,
        Option("substitute", "replace meta.json instead of merging", kind="flag"),
        REPOSITORY,
    ],
)
def update(request: Request) -> Answer:
    """Merge keys into meta.json."""
    entry = one(request)
    changes = meta_of(request)
    if "tags" in request.options:
        old = changes.get("tags", [] if request.flag("substitute") else tags_of(entry.meta(), entry.path / META))
        changes["tags"] = list(dict.fromkeys([*tag_list(old), *tag_list(request.text("tags"))]))
    if not changes:
        raise UsageError("nothing to change", hint="give --tags= or --dict.KEY=value")
    writing.update_entry(entry, changes, replace=request.flag("substitute"))
    return Answer(content_of(entry), [f"updated {entry.cid}"])


@action(
    ACTIONS,
    "rm",
    "remove entries",
    example="ck rm experiment:* --tags=server",
    options=[
        TAGS,
        REPOSITORY,
        Option("force", "remove without confirmation; needed for patterns and tags without a terminal", kind="flag"),
    ],
)
def remove(request: Request) -> Answer:
    """Remove entries, after confirmation; `ck restore` can restore them for some time."""
    from ck_repo.store.bin import discard

    if not request.entry and not request.text("tags"):
        raise UsageError(
            f"no {request.module} was given", hint=f"`ck rm {request.module}:NAME`, or `ck rm {request.module}:*` for all"
        )
    found = [entry for entry in matching(request) if request.repository or entry.repository != default_repository_alias()]
    if not found:
        raise UsageError(
            f"{request.target.text} is in the default repository, which is protected",
            hint=f"to remove it, give the repository: `ck rm {default_repository_alias()}:{request.module}:{request.entry}`",
        )
    if not is_pattern(request.entry) and len(found) > 1:
        raise ConflictError(
            f"{request.target.text} is in {' and in '.join(entry.repository for entry in found)}",
            hint=f"give the repository: `ck rm {found[0].repository}:{found[0].cid}`",
        )
    names = ", ".join(entry.alias for entry in found[:8]) + (" …" if len(found) > 8 else "")
    named = not is_pattern(request.entry) if request.entry else len(found) == 1
    confirm_removal(request, f"remove {len(found)} of {request.module}: {names}", named=named)
    repositories = request.session.repositories
    kept = [discard(repositories.get(entry.repository), entry) for entry in found]
    data = [{**row_of(entry), "restorable": back} for entry, back in zip(found, kept, strict=True)]
    lines = [f"removed {entry.cid}" + ("" if back else " permanently") for entry, back in zip(found, kept, strict=True)]
    return Answer({"lst": data}, lines + _undo(found, kept))


def _undo(found: list[Entry], kept: list[bool]) -> list[str]:
    """How to restore removed entries; empty where that is impossible."""
    names = [entry.cid for entry, back in zip(found, kept, strict=True) if back]
    if not names:
        return []
    return [f"`ck restore {names[0]}` restores it" if len(names) == 1 else f"`ck restore {found[0].module}` lists them"]


def _destination(request: Request) -> Target:
    if len(request.more) != 1:
        raise UsageError(
            f"`ck {request.action}` needs two entries", hint=f"`ck {request.action} {request.module}:OLD {request.module}:NEW`"
        )
    to = request.more[0]
    if to.module and not (to.entry or to.repository):  # a word without a colon is the new name
        return Target(request.module, to.module)
    return Target(to.module or request.module, to.entry, to.repository)


def _transfer(
    request: Request, verb: str, carry: Callable[[Entry, Repository, str, str], Entry], *, stays: bool = False
) -> Answer:
    """Copy or move an entry; without a repository it goes to `local`, or with `stays` remains in its own."""
    to = _destination(request)
    entry = one(request)
    target = request.session.repositories.writable(to.repository or (entry.repository if stays else ""))
    done = carry(entry, target, to.module, to.entry or entry.alias)
    return Answer(content_of(done), [f"{verb} {entry.cid} to {done.path}"])


@action(
    ACTIONS,
    "cp",
    "copy an entry",
    example="ck cp program:object-detection local:program:mine",
    options=[REPOSITORY],
    usage="ck cp module:OLD NEW | :NEW | [repository:]module:NEW",
    more_entries=True,
)
def copy(request: Request) -> Answer:
    """Copy an entry; the copy gets a new UID."""
    return _transfer(request, "copied", writing.copy_entry)


@action(
    ACTIONS,
    "mv",
    "move an entry to another name, module or repository",
    example="ck mv experiment:a my-experiments:experiment:b",
    options=[REPOSITORY],
    usage="ck mv module:OLD NEW | :NEW | [repository:]module:NEW",
    more_entries=True,
)
def move(request: Request) -> Answer:
    """Move an entry; it keeps its UID."""
    return _transfer(request, "moved", writing.move_entry, stays=True)


@action(
    ACTIONS,
    "ren",
    "rename an entry",
    example="ck ren experiment:1f00a2d4e5b6c7d8 experiment:first-run",
    options=[REPOSITORY, Option("new_uid", "also give it a new UID", kind="flag")],
    usage="ck ren module:OLD NEW | :NEW | module:NEW",
    more_entries=True,
)
def rename(request: Request) -> Answer:
    """Rename an entry; with --new_uid alone it keeps its name."""
    entry = one(request)
    if request.flag("new_uid") and not request.more:
        to = Target(entry.module, "" if entry.alias == entry.uid else entry.alias)
    else:
        to = _destination(request)
        if canonical_module(to.module) != canonical_module(entry.module) or to.repository not in ("", entry.repository):
            raise UsageError("`ck ren` keeps the module and the repository", hint=f"`ck mv {entry.cid} {to.text}` does")
    alias = to.entry
    done = writing.move_entry(
        entry,
        request.session.repositories.writable(entry.repository),
        entry.module,
        alias,
        new_identity=request.flag("new_uid"),
    )
    return Answer(content_of(done), [f"renamed {entry.cid} to {done.cid} ({done.uid})"])

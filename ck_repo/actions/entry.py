"""Actions on the entries of any module: list, search, read, write, copy, move, remove, pack."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.actions.declare import LISTING, REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.request import Request, Target
from ck_repo.errors import CKError, ConflictError, NotFoundError, UsageError, did_you_mean
from ck_repo.printable import printable
from ck_repo.store import writing
from ck_repo.store.entry import META, Entry, read_json_object, tag_list, tags_of
from ck_repo.store.modules import canonical_module, folder_uid
from ck_repo.store.query import TagQuery, holds, is_pattern
from ck_repo.store.repositories import default_repository_alias
from ck_repo.store.search import find, known_tags, load, suggest

ACTIONS: Actions = {}
ARCHIVE = Option("archive_name", "the zip file to write", value="FILE")
OVERWRITE = Option("overwrite", "replace what is there", kind="flag")
_DICT = Option("dict", 'keys of meta.json: --dict.KEY=value, or a JSON object with @@@{"dict": {…}}', kind="json")


SEARCHED = (
    TAGS,
    Option("search_string", "part of the name or of a tag", value="TEXT"),
    Option("search_dict", "keys that meta.json has: --search_dict.KEY=value, or a JSON object", kind="json"),
    Option("ignore_case", "compare the texts of --search_dict without regard to case", kind="flag"),
    REPOSITORY,
)
NAMES = (
    Option("print_full", "names with repository and module", kind="flag", aliases=("all",)),
    Option("print_uid", "names with the UID", kind="flag"),
    Option("print_name", "the name for people first, from info.json", kind="flag", aliases=("name",)),
    Option("limit_size", "list at most this many entries; 0 or -1: all", kind="whole", least=-1, value="N"),
)


def row_of(entry: Entry) -> dict[str, str]:
    """An entry as CK gives it in JSON."""
    return {
        "repo_uoa": entry.repository,
        "repo_uid": entry.repository_uid,
        "module_uoa": entry.module,
        "module_uid": entry.module_uid or folder_uid(entry.module),
        "data_uoa": entry.alias,
        "data_uid": entry.uid,
        "path": str(entry.path),
    }


def rows_of(request: Request, entries: list[Entry]) -> list[dict[str, Any]]:
    """Entries as CK lists them in JSON; with `add_meta` and `add_info` their files are read, too."""
    with_info = request.flag("add_info") or request.flag("print_name")
    return [{**row_of(entry), **_files_of(entry, meta=request.flag("add_meta"), info=with_info)} for entry in entries]


def _files_of(entry: Entry, *, meta: bool, info: bool) -> dict[str, Any]:
    """What a list says of an entry's files; a file that cannot be read does not hide the other entries."""
    found: dict[str, Any] = {}
    try:
        if info:
            found["info"] = entry.info()
            found["data_name"] = str(found["info"].get("data_name") or "")
        if meta:
            found["meta"] = entry.meta()
    except CKError as error:
        progress.warn(f"{error.what}")
    return found


def place_of(entry: Entry) -> dict[str, str]:
    """An entry as CK answers when it is about one: with aliases and the folders around it."""
    return {
        **row_of(entry),
        "repo_alias": entry.repository,
        "module_alias": entry.module,
        "data_alias": "" if entry.alias == entry.uid else entry.alias,
        "path_module": str(entry.path.parent),
        "path_repo": str(entry.path.parent.parent),
    }


def content_of(entry: Entry) -> dict[str, Any]:
    """An entry with what is in it, as CK loads it."""
    info = entry.info()
    content = {**place_of(entry), "dict": entry.meta(), "info": info, "data_name": str(info.get("data_name") or "")}
    for key in ("info", "desc", "updates"):
        path = entry.path / f".cm/{key}.json"
        if path.exists():
            content |= {f"path_{key}": str(path), key: content.get(key) or read_json_object(path)}
    return content


def matching(request: Request, *, needed: bool = True, variations: bool = False) -> list[Entry]:
    """The entries that a request names, by pattern and tags; with `variations` by those of a package's variations, too."""
    found = find(
        request.session.repositories,
        request.module,
        request.entry,
        repository=request.repository,
        tags=request.text("tags"),
        text=request.text("search_string"),
        variations=variations,
    )
    if wanted := _searched_keys(request):
        found = [entry for entry in found if _holds(entry, wanted, ignore_case=request.flag("ignore_case"))]
    if found or not needed:
        return found
    tags = TagQuery.parse(request.text("tags"))
    known = known_tags(request.session.repositories, request.module, request.repository) if tags.required else set()
    unknown = sorted(tags.required - known)
    if unknown:
        raise NotFoundError(
            f"no {request.module} has the tag {unknown[0]!r}",
            hint=did_you_mean(unknown[0], known) or f"`ck ls {request.module}` lists what there is",
        )
    if not is_pattern(request.entry):
        raise NotFoundError(
            f"there is no {request.target.text}",
            hint=suggest(request.session.repositories, request.module, request.entry, request.repository),
        )
    raise NotFoundError(
        f"no {request.module} matches {request.entry or '*'}" + (f" with tags {tags}" if tags.required or tags.excluded else "")
    )


def _searched_keys(request: Request) -> dict[str, Any]:
    value = request.options.get("search_dict") or {}
    if not isinstance(value, dict):
        raise UsageError("--search_dict has to be an object", hint='--search_dict.KEY=value, or @@@{"search_dict": {"KEY": 1}}')
    return value


def _holds(entry: Entry, wanted: dict[str, Any], *, ignore_case: bool) -> bool:
    """Whether an entry's meta has these keys and values; one that cannot be read has none."""
    try:
        return holds(entry.meta(), wanted, ignore_case=ignore_case)
    except CKError as error:
        progress.warn(f"{error.what}")
        return False


def all_matching(request: Request, *, needed: bool = True) -> list[Entry]:
    """The entries that a request names first and after, each once; a word alone is an entry of the first one's module."""
    targets = [request.target]
    for to in request.more:
        bare = bool(to.module) and not (to.entry or to.repository)
        targets.append(Target(request.module, to.module) if bare else replace(to, module=to.module or request.module))
    found = [entry for target in targets for entry in matching(replace(request, target=target), needed=needed)]
    return list(dict.fromkeys(found))


def one(request: Request) -> Entry:
    """The one entry that a request names."""
    if is_pattern(request.entry):
        raise UsageError(
            f"`ck {request.action} {request.module}` needs the name of one entry", hint=f"`ck ls {request.module}` lists them"
        )
    return load(request.session.repositories, request.module, request.entry, request.repository)


def listed(request: Request, entries: list[Entry], *, with_module: bool = False) -> Answer:
    """A list of entries as an answer: names, or `with_module` the shortest that lead to them."""
    from ck_repo.store.naming import unambiguous_names

    chosen = entries[: limit(request)]
    rows = rows_of(request, chosen)
    called = unambiguous_names(request.session.repositories, chosen) if with_module else [entry.alias for entry in chosen]
    names = [shown_name(request, *each) for each in zip(chosen, rows, called, strict=True)]
    return Answer({"lst": rows, **cut_short(len(chosen) < len(entries))}, names)


def limit(request: Request) -> int | None:
    """How many entries a list has at most; None for all."""
    most = request.whole("limit_size") or 0
    return most if most > 0 else None


def cut_short(cut: bool) -> dict[str, str]:
    """CK's key for a list that was cut."""
    return {"timed_out": "yes"} if cut else {}


def shown_name(request: Request, entry: Entry, row: dict[str, Any], called: str) -> str:
    """An entry in a list for a person."""
    name = f"{entry.repository}:{entry.cid}" if request.flag("print_full") else called
    if request.flag("print_uid"):
        name += f" ({entry.uid})"
    if request.flag("print_name") and row.get("data_name"):
        name = f"{row['data_name']} ({name})"
    return name


@action(ACTIONS, "ls", "names of the entries", example="ck ls package:model-*", options=[TAGS, REPOSITORY, *LISTING, *NAMES])
def ls(request: Request) -> Answer:
    """List entries; a wildcard that matches none is an empty list."""
    return listed(request, matching(request, needed=not is_pattern(request.entry)))


@action(
    ACTIONS,
    "search",
    "entries with these tags",
    example="ck search package --tags=model,object-detection,-onnx",
    options=[*SEARCHED, *LISTING, *NAMES],
)
def search(request: Request) -> Answer:
    """Search by tags; nothing found is an empty list."""
    return listed(request, matching(request, needed=False), with_module=True)


@action(
    ACTIONS,
    "find",
    "where an entry is",
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
    "the meta.json of an entry",
    example="ck load program:object-detection --out=json",
    options=[REPOSITORY],
)
def load_one(request: Request) -> Answer:
    """Print meta.json."""
    import json

    data = content_of(one(request))
    return Answer(data, [json.dumps(data["dict"], indent=2, sort_keys=True, ensure_ascii=False)])


@action(
    ACTIONS, "info", "names, UID, tags and folder of an entry", example="ck info package:model-demo-ssd", options=[REPOSITORY]
)
def info(request: Request) -> Answer:
    """Tell what is known of an entry without its content."""
    entry = one(request)
    tags, data = sorted(entry.tags()), content_of(entry)
    lines = [f"{key}: {value}" for key, value in row_of(entry).items()]
    return Answer({**data, "tags": tags}, [*lines, f"tags: {','.join(tags)}"])


@action(
    ACTIONS,
    "add",
    "a new entry",
    example="ck add dataset:mine --tags=coco,mine --dict.source=lab",
    options=[
        Option("tags", "its tags", value="a,b,c"),
        _DICT,
        Option("data_name", "a name for people", value="TEXT"),
        Option("data_uid", "its UID, 16 hexadecimal digits; a random one if left out", value="UID"),
        Option("repo_uoa", "the repository to write to (default local)", value="NAME", aliases=("repo",)),
        Option("update", "if the entry exists, change it as `ck update` does", kind="flag"),
        Option("substitute", "with --update: replace meta.json instead of merging", kind="flag"),
    ],
)
def add(request: Request) -> Answer:
    """Add an entry."""
    if request.flag("update") and request.entry and matching(request, needed=False):
        return update(request)
    meta = _meta(request)
    if request.text("tags"):
        meta["tags"] = tag_list(request.text("tags"))
    entry = writing.create_entry(
        request.session.repositories.writable(request.repository),
        request.module,
        request.entry,
        meta,
        uid=_uid(request),
        name=request.text("data_name"),
    )
    return Answer(content_of(entry), [f"added {entry.cid} ({entry.uid}) in {entry.path}"])


def _uid(request: Request) -> str:
    from ck_repo.store.uid import is_uid

    uid = request.text("data_uid")
    if uid and not is_uid(uid):
        raise UsageError(f"--data_uid={uid} is not 16 hexadecimal digits (0-9, a-f)")
    return uid


def _meta(request: Request) -> dict[str, Any]:
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
        Option("tags", "tags to add; with --substitute its tags from now on", value="a,b,c"),
        _DICT,
        Option("substitute", "replace meta.json instead of merging", kind="flag"),
        REPOSITORY,
    ],
)
def update(request: Request) -> Answer:
    """Merge keys into meta.json."""
    entry = one(request)
    changes = _meta(request)
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
    options=[TAGS, REPOSITORY, Option("force", "do not ask", kind="flag")],
)
def remove(request: Request) -> Answer:
    """Remove entries; on a terminal a pattern asks first."""
    if not request.entry and not request.text("tags"):
        raise UsageError(
            f"remove which {request.module}?", hint=f"`ck rm {request.module}:NAME`, or `ck rm {request.module}:*` for all"
        )
    found = [entry for entry in matching(request) if request.repository or entry.repository != default_repository_alias()]
    if not found:
        raise UsageError(
            f"{request.target.text} is of the default repository, which everybody relies on",
            hint=f"if it is meant, name the repository: `ck rm {default_repository_alias()}:{request.module}:{request.entry}`",
        )
    if not is_pattern(request.entry) and len(found) > 1:
        raise ConflictError(
            f"{request.target.text} is in {' and in '.join(entry.repository for entry in found)}",
            hint=f"name the repository: `ck rm {found[0].repository}:{found[0].cid}`",
        )
    names = ", ".join(entry.alias for entry in found[:8]) + (" …" if len(found) > 8 else "")
    confirm(request, f"remove {len(found)} of {request.module}: {names}")
    for entry in found:
        writing.remove_entry(entry)
    return Answer({"lst": [row_of(entry) for entry in found]}, [f"removed {entry.cid}" for entry in found])


def confirm(request: Request, what: str) -> None:
    """Ask on a terminal, unless told not to; elsewhere go on."""
    if request.flag("quiet") or request.flag("force") or request.text("out") == "json" or not sys.stdin.isatty():
        return
    print(printable(f"{what}? [y/N] "), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was changed")


def _destination(request: Request) -> Target:
    if len(request.more) != 1:
        raise UsageError(
            f"`ck {request.action}` needs two entries", hint=f"`ck {request.action} {request.module}:OLD {request.module}:NEW`"
        )
    to = request.more[0]
    if to.module and not (to.entry or to.repository):  # a word alone is the new name
        return Target(request.module, to.module)
    return Target(to.module or request.module, to.entry, to.repository)


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
    """Copy; the copy has a new UID."""
    to = _destination(request)
    entry = one(request)
    done = writing.copy_entry(entry, request.session.repositories.writable(to.repository), to.module, to.entry or entry.alias)
    return Answer(content_of(done), [f"copied {entry.cid} to {done.path}"])


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
    """Move; the UID stays."""
    to = _destination(request)
    entry = one(request)
    where_to = request.session.repositories.writable(to.repository or entry.repository)
    done = writing.move_entry(entry, where_to, to.module, to.entry or entry.alias)
    return Answer(content_of(done), [f"moved {entry.cid} to {done.path}"])


@action(
    ACTIONS,
    "ren",
    "rename an entry",
    example="ck ren experiment:1f00a2d4e5b6c7d8 experiment:first-run",
    options=[REPOSITORY, Option("new_uid", "give it a new UID too", kind="flag")],
    usage="ck ren module:OLD NEW | :NEW | module:NEW",
    more_entries=True,
)
def rename(request: Request) -> Answer:
    """Rename; with --new_uid alone the name stays."""
    entry = one(request)
    if request.flag("new_uid") and not request.more:
        to = Target(entry.module, "" if entry.alias == entry.uid else entry.alias)
    else:
        to = _destination(request)
        if canonical_module(to.module) != canonical_module(entry.module) or to.repository not in ("", entry.repository):
            raise UsageError("`ck ren` keeps module and repository", hint=f"`ck mv {entry.cid} {to.text}` moves")
    alias = to.entry
    done = writing.move_entry(
        entry,
        request.session.repositories.writable(entry.repository),
        entry.module,
        alias,
        new_identity=request.flag("new_uid"),
    )
    return Answer(content_of(done), [f"renamed {entry.cid} to {done.cid} ({done.uid})"])


@action(
    ACTIONS,
    "zip",
    "pack entries into a zip file",
    example="ck zip experiment:* --archive_name=results.zip",
    usage="ck zip module:ENTRY [ENTRY | module:ENTRY …] [options]",
    options=[TAGS, REPOSITORY, ARCHIVE, OVERWRITE],
    more_entries=True,
)
def pack(request: Request) -> Answer:
    """Pack entries."""
    from ck_repo.store.archive import pack_entries

    found = all_matching(request)
    output = Path(
        request.text("archive_name") or f"ck-{request.module}{'-' + found[0].alias if len(found) == 1 else ''}.zip"
    ).absolute()
    files = pack_entries(found, output, overwrite=request.flag("overwrite"))
    return Answer(
        {"path": str(output), "files": files, "lst": [row_of(e) for e in found]},
        [f"packed {len(found)} entries, {files} files: {output}"],
    )


@action(
    ACTIONS,
    "unzip",
    "bring in entries that were packed",
    example="ck unzip experiment --zip=results.zip",
    options=[
        Option("zip", "the zip file", value="FILE", aliases=("archive_name",)),
        Option(
            "repo_uoa",
            "the repository to write to (default local; for packages, softs, programs and templates a new one, named after the "
            "archive and searched after ours)",
            value="NAME",
            aliases=("repo",),
        ),
        Option("all", "entries of other modules, too: packages, softs, programs, templates", kind="flag"),
        OVERWRITE,
    ],
)
def unpack(request: Request) -> Answer:
    """Unpack entries into a repository."""
    from ck_repo.store.archive import unpack_entries

    path = archive_path(request)
    target = request.session.repositories.writable(request.repository)
    done, left = unpack_entries(
        path,
        request.session.repositories,
        target,
        request.module,
        everything=request.flag("all"),
        overwrite=request.flag("overwrite"),
    )
    lines = [f"unpacked {entry.cid} to {entry.path}" for entry in done]
    lines += [f"left out: {name}" for name in left[:20]]
    lines += [f"{len(left)} entries of other modules were left out; --all brings them in, too"] if left else []
    return Answer({"lst": [row_of(entry) for entry in done], "left_out": left}, lines)


def archive_path(request: Request) -> Path:
    """The zip file of an unzip command."""
    path = Path(request.needed("zip", "name the file: --zip=FILE")).expanduser().absolute()
    if not path.is_file():
        raise NotFoundError(f"{path} is not there")
    return path

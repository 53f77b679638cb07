"""The entries that a request selects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ck_repo import progress
from ck_repo.actions.declare import REPOSITORY, TAGS, Option
from ck_repo.actions.request import Request, Target
from ck_repo.errors import CKError, NotFoundError, UsageError, did_you_mean
from ck_repo.store.entry import Entry
from ck_repo.store.query import TagQuery, holds, is_pattern
from ck_repo.store.search import find, known_tags, load, suggest

SEARCHED = (
    TAGS,
    Option("search_string", "part of the name or of a tag", value="TEXT"),
    Option("search_dict", "keys and values that meta.json must have: --search_dict.KEY=value, or a JSON object", kind="json"),
    Option("ignore_case", "ignore case in --search_dict", kind="flag"),
    REPOSITORY,
)


def matching(request: Request, *, needed: bool = True, variations: bool = False) -> list[Entry]:
    """The entries that a request selects by pattern and tags.

    Parameters
    ----------
    needed
        Whether none is an error.
    variations
        Also consider the tags of a package's variations.

    Raises
    ------
    NotFoundError
        If there is none; the hint names similar tags or entries.
    """
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


def _searched_keys(request: Request) -> dict[str, object]:
    value = request.options.get("search_dict") or {}
    if not isinstance(value, dict):
        raise UsageError("--search_dict has to be an object", hint='--search_dict.KEY=value, or @@@{"search_dict": {"KEY": 1}}')
    return value


def _holds(entry: Entry, wanted: Mapping[str, object], *, ignore_case: bool) -> bool:
    """Whether an entry's meta has these keys and values; an unreadable one has none."""
    try:
        return holds(entry.meta(), wanted, ignore_case=ignore_case)
    except CKError as error:
        progress.warn(f"{error.what}")
        return False


def all_matching(request: Request, *, needed: bool = True) -> list[Entry]:
    """The entries of all targets, without repetitions; a word without a colon is an entry of the first target's module."""
    targets = [request.target]
    for to in request.more:
        bare = bool(to.module) and not (to.entry or to.repository)
        targets.append(Target(request.module, to.module) if bare else replace(to, module=to.module or request.module))
    found = [entry for target in targets for entry in matching(replace(request, target=target), needed=needed)]
    return list(dict.fromkeys(found))


def one(request: Request) -> Entry:
    """The single entry that a request selects."""
    if is_pattern(request.entry):
        raise UsageError(
            f"`ck {request.action} {request.module}` needs the name of one entry", hint=f"`ck ls {request.module}` lists them"
        )
    return load(request.session.repositories, request.module, request.entry, request.repository)

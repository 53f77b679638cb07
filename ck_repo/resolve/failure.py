"""Explain why nothing meets a need, with hints."""

from __future__ import annotations

from collections.abc import Sequence

from ck_repo.errors import CKError, ConflictError, NotFoundError, did_you_mean
from ck_repo.resolve.candidates import Found, near_misses
from ck_repo.resolve.context import Context
from ck_repo.resolve.counterpart import counterpart
from ck_repo.resolve.need import Need
from ck_repo.resolve.variations import Variant
from ck_repo.stock.steps import RUNS
from ck_repo.store.query import TagQuery
from ck_repo.store.uid import is_uid

LISTS = "`ck search package --tags=…` lists the packages"
_NEVER_RUN = "programs of stock CK's recipes are not supported, even with --trust"
_MAX_LISTED = 50
_MAX_REASONS = 6


def is_name(word: str) -> bool:
    """Whether a word is the name of an entry, not a tag: a UID, or a name with its module."""
    return ":" in word or is_uid(word)


def described(need: Need) -> str:
    """A need as text, with names and tags separated.

    >>> described(Need.parse(["package:ssd", "onnx", "-int8"], "", "you"))
    'package:ssd with the tags -int8,onnx'
    """
    tags, version = need.of(())
    names = sorted(word for word in tags if is_name(word))
    rest = ",".join(sorted([*(tags - set(names)), *(f"-{tag}" for tag in need.query.excluded)]))
    text = ", ".join(names)
    if rest:
        text += f"{' with ' if names else ''}the tags {rest}"
    return text + (f" in a version {version}" if version else "")


def nothing(have: Context, need: Need, asker: str, passed: Sequence[tuple[str, str]], found: Found) -> CKError:
    """The error for a need that nothing meets.

    Parameters
    ----------
    passed
        Rejected candidates, with the reason.
    found
        Matches that cannot be used.
    """
    if error := _unknown(have, need, asker):
        return error
    conflicts = [why for _, why in found.refused if "exclude each other" in why]
    if conflicts:
        return ConflictError(f"{need}: {conflicts[0]}", hint="request only one of them")
    if found.blocked:
        return _blocked(have, need, [variant for variant, _ in found.blocked])
    reasons = [*passed, *found.other_versions] or near_misses(have, need)
    reasons = [*reasons, *(row for row in found.refused if row not in reasons)]
    return NotFoundError(
        f"nothing is {described(need)}, requested by {asker}" if _only_names(need) else
        f"nothing has all the tags {_with_version(need)}, requested by {asker}",
        hint="\n".join([*(f"rejected {name}: {why}" for name, why in reasons[:_MAX_REASONS]), LISTS]),
    )  # fmt: skip


def none_works(need: Need, asker: str, failures: Sequence[tuple[str, CKError]], tried_of: int) -> CKError:
    """The error for a need whose candidates all have unmet dependencies."""
    more = f" (only the first {len(failures)} of {tried_of} were tried)" if tried_of > len(failures) else ""
    return NotFoundError(
        f"none of the packages {_that_are(need)}, requested by {asker}, can be installed{more}",
        hint="\n".join([*(f"rejected {name}: {error.what}" for name, error in failures[:_MAX_REASONS]), LISTS]),
    )


def _unknown(have: Context, need: Need, asker: str) -> CKError | None:
    """The error for an unknown word; None if all are known."""
    names = sorted(word for word in need.query.required if is_name(word))
    registered = frozenset().union(*(env.names_and_tags for env in have.registered))
    for name in names:
        if fault := have.packages.fault(name):
            return fault
        if name not in registered and not any(name in row.names | row.possible for row in have.packages.candidates([name])):
            hint = did_you_mean(name, have.packages.names()) if ":" in name else ""
            who = "" if asker == "you" else f", requested by {asker}"
            return NotFoundError(
                f"there is no {'package with the UID ' * is_uid(name)}{name}{who}", hint=f"{hint}\n{LISTS}".strip()
            )
    known = have.packages.tags() | registered
    unknown = sorted((need.words or need.query.required) - known - set(names))
    if not unknown:
        return have.packages.fault(next(iter(need.words))) if len(need.words) == 1 else None
    if fault := have.packages.fault(unknown[0]):
        return fault
    # tags of packages that meet the rest of the need are better suggestions
    rest = need.words - set(unknown)
    near = have.packages.tags(rest).union(*(env.names_and_tags for env in have.registered if rest <= env.names_and_tags))
    hints = [did_you_mean(unknown[0], (near or known) - need.query.required)]
    who = "" if asker == "you" else f", requested by {asker}"
    return NotFoundError(f"nothing has the tag {unknown[0]!r}{who}", hint="\n".join([*hints, LISTS]))


def _blocked(have: Context, need: Need, rows: Sequence[Variant]) -> NotFoundError:
    """The error for tags that only packages with unsupported recipes have."""
    own, hints = have.packages.of(have.own), []
    for row in rows[:_MAX_LISTED]:
        ours = counterpart(row.component, own, have.own)
        instead = f"; `ck install package:{ours}` installs one of ours" if ours else ""
        hints.append(f"{row.component.full_name}: {row.obstacle}{instead}")
    ends = [_NEVER_RUN] if any(row.obstacle.startswith(RUNS) for row in rows) else []
    if len(rows) == 1:
        what, _, instead = hints[0].partition("; `")
        ends.append(f"`{instead}" if instead else LISTS)
        return NotFoundError(f"{what}, so it cannot be installed", hint="\n".join(ends))
    return NotFoundError(f"none of the packages {_that_are(need)} can be installed", hint="\n".join([*hints, *ends, LISTS]))


def _only_names(need: Need) -> bool:
    return all(map(is_name, need.words))


def _that_are(need: Need) -> str:
    return f"that are {described(need)}" if any(map(is_name, need.words)) else f"with the tags {need}"


def _with_version(need: Need) -> str:
    tags, version = need.of(())
    return f"{TagQuery(tags, need.query.excluded)}{f' in a version {version}' if version else ''}"

"""The packages that match a need, the best first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ck_repo.resolve.component import Component
from ck_repo.resolve.context import Context
from ck_repo.resolve.need import Need
from ck_repo.resolve.variations import Variant, choose
from ck_repo.resolve.versions import satisfies

_REASONS = (
    "its priority is higher",
    "its repository is closer",
    "it has the version among its tags",
    "it is already installed",
    "its priority is higher",
    "it is the simpler match",
    "its name sorts first",
)


@dataclass(frozen=True)
class Candidate:
    """A package with the variations that a need selects.

    Attributes
    ----------
    version
        The requested range, including words that are versions of this package.
    pinned
        Whether a word of the need is a version of it, and not a tag.
    """

    variant: Variant
    version: str = ""
    pinned: bool = False


@dataclass
class Found:
    """The search result for a need.

    Attributes
    ----------
    candidates
        Matches, the best first.
    blocked
        Matches that cannot be installed here, with the reason.
    other_versions
        Matches in other versions only, with the reason.
    refused
        Near misses, with the reason.
    """

    candidates: list[Candidate] = field(default_factory=list)
    blocked: list[tuple[Variant, str]] = field(default_factory=list)
    other_versions: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def candidates(have: Context, need: Need, home: str, in_use: Collection[str]) -> Found:
    """The packages that match, the best first, and why others do not.

    Parameters
    ----------
    home
        Alias of the repository of the need.
    in_use
        Names (normalised) of the Python packages that the venv will have.
    """
    found = Found()
    for package in have.packages.candidates(need.words or need.query.required):
        _sort(package, need, found)
    found.candidates.sort(key=lambda row: rank(have, row, home, in_use))
    return found


def near_misses(have: Context, need: Need) -> list[tuple[str, str]]:
    """Packages that have most of the tags, with the reason why they do not match."""
    rows = []
    for package in have.packages.near(need.query.required, max(1, len(need.query.required) - 2)):
        words, _ = need.of(package.possible, package.versions)
        variant = choose(package, words, need.query.excluded)
        shared = len(words & package.tags)
        if isinstance(variant, str) and (words & package.names or (shared and shared >= len(words) - 2)):
            rows.append((package.entry.alias, variant))
    return rows


def _sort(package: Component, need: Need, found: Found) -> None:
    """Sort a package into one of the lists."""
    words, version = need.of(package.possible, package.versions)
    variant = in_version(package, words, need.query.excluded, version)
    alias = package.entry.alias
    if isinstance(variant, str):
        if words & package.names or words <= package.possible | package.names:
            found.refused.append((alias, variant))
    elif package.conversion:
        found.refused.append((alias, "it is a conversion: request its result instead"))
    elif variant.obstacle:
        found.blocked.append((variant, variant.obstacle))
    elif not _meets(variant, version):
        found.other_versions.append((variant.label, f"its {_versions(package, words, need.query.excluded)} not in {version}"))
    else:
        found.candidates.append(Candidate(variant, version, version != need.version))


def in_version(
    component: Component, words: Collection[str], excluded: Collection[str] = (), version: str = ""
) -> Variant | str:
    """The variant with these tags in a version of the range, with an additional variation for the version if needed.

    The variant without it if no variation gives one, or the reason why there is none at all.
    """
    variant = choose(component, words, excluded)
    if isinstance(variant, str) or (_meets(variant, version) and not variant.obstacle) or not version:
        return variant
    rows = [row for row in _alternatives(component, words, excluded) if _meets(row, version) and not row.obstacle]
    return max(rows, key=lambda row: _comparable(row.version), default=variant)


def _alternatives(component: Component, words: Collection[str], excluded: Collection[str]) -> list[Variant]:
    """The variants with one variation in addition to the requested ones."""
    rows = [choose(component, {*words, name}, excluded) for name in component.variations if name not in words]
    return [row for row in rows if isinstance(row, Variant)]


def _meets(variant: Variant, version: str) -> bool:
    """Whether a package has a version; the index has every version of a Python package."""
    return bool(variant.python_package) or satisfies(variant.version or "0", version)


def _versions(component: Component, words: Collection[str], excluded: Collection[str]) -> str:
    first = choose(component, words, excluded)
    variants = [*([first] if isinstance(first, Variant) else []), *_alternatives(component, words, excluded)]
    versions = sorted({row.version for row in variants if row.version}, key=_comparable)
    return f"versions {', '.join(versions)} are" if len(versions) > 1 else f"version {''.join(versions) or '(none)'} is"


def _comparable(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def rank(have: Context, row: Candidate, home: str, in_use: Collection[str]) -> tuple[bool, int, bool, bool, int, int, str]:
    """The sort key of candidates; see `_REASONS`."""
    component = row.variant.component
    last = component.priority < 0  # even if it is installed: it is only used if its own tag is requested
    return (
        last, _distance(have, component, home), row.pinned, not _is_there(have, row.variant, in_use), -component.priority,
        len(row.variant.tags), component.entry.alias,
    )  # fmt: skip


def why_first(have: Context, first: Candidate, other: Candidate, home: str, in_use: Collection[str]) -> str:
    """Why one candidate comes before another."""
    pairs = zip(rank(have, first, home, in_use), rank(have, other, home, in_use), _REASONS, strict=True)
    return next((reason for mine, its, reason in pairs if mine != its), _REASONS[-1])


def _distance(have: Context, component: Component, home: str) -> int:
    """The distance of a package: 0 in the requester's own repository, 1 in ours, 2 in any other."""
    repository = component.entry.repository
    if repository == home or (repository in have.own and (not home or home in have.own)):
        return 0
    return 1 if repository in have.own else 2


def _is_there(have: Context, variant: Variant, in_use: Collection[str]) -> bool:
    if variant.python_package:
        return canonicalize_name(variant.python_package) in in_use
    uid = variant.component.entry.uid
    made = ((env.component.uid, env.variations) for env in have.installed.values() if env.component)
    return (uid, variant.chosen) in made

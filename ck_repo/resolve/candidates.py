"""The packages that match a need, the best first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ck_repo.resolve.component import Component
from ck_repo.resolve.need import Need
from ck_repo.resolve.surroundings import Surroundings
from ck_repo.resolve.variations import Variant, choose
from ck_repo.resolve.versions import satisfies

_REASONS = (
    "its priority is higher",
    "it is of a nearer repository",
    "it has the version among its tags",
    "it is installed already",
    "its priority is higher",
    "it is the plainer match",
    "its name sorts first",
)


@dataclass(frozen=True)
class Candidate:
    """A package in the variations that a need asks for.

    Attributes
    ----------
    version
        The range that is asked for, with the words that are versions of this package.
    pinned
        Whether a word of the need is a version of it, and not a tag.
    """

    variant: Variant
    version: str = ""
    pinned: bool = False


@dataclass
class Found:
    """What was found for a need.

    Attributes
    ----------
    candidates
        What matches, the best first.
    blocked
        What matches and cannot be installed here, with the reason.
    other_versions
        What matches in other versions only, with the reason.
    refused
        What does not match though it is near, with the reason.
    """

    candidates: list[Candidate] = field(default_factory=list)
    blocked: list[tuple[Variant, str]] = field(default_factory=list)
    other_versions: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def candidates(have: Surroundings, need: Need, home: str, in_use: Collection[str]) -> Found:
    """The packages that match, the best first, and why others do not.

    Parameters
    ----------
    home
        Alias of the repository that the need comes from.
    in_use
        Names (normalised) of the Python packages that the venv will have.
    """
    found = Found()
    for package in have.packages.candidates(need.words or need.query.required):
        _sort(package, need, found)
    found.candidates.sort(key=lambda row: rank(have, row, home, in_use))
    return found


def near_misses(have: Surroundings, need: Need) -> list[tuple[str, str]]:
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
    """Put a package where it belongs."""
    words, version = need.of(package.possible, package.versions)
    variant = in_version(package, words, need.query.excluded, version)
    alias = package.entry.alias
    if isinstance(variant, str):
        if words & package.names or words <= package.possible | package.names:
            found.refused.append((alias, variant))
    elif package.conversion:
        found.refused.append((alias, "it is a conversion: ask for what it converts"))
    elif variant.obstacle:
        found.blocked.append((variant, variant.obstacle))
    elif not _meets(variant, version):
        found.other_versions.append((variant.label, f"its {_versions(package, words, need.query.excluded)} not in {version}"))
    else:
        found.candidates.append(Candidate(variant, version, version != need.version))


def in_version(
    component: Component, words: Collection[str], excluded: Collection[str] = (), version: str = ""
) -> Variant | str:
    """The variant with these tags in a version of the range, with the variation that brings such a version if one is needed.

    The variant without it if no variation does, or the reason why there is none at all.
    """
    variant = choose(component, words, excluded)
    if isinstance(variant, str) or (_meets(variant, version) and not variant.obstacle) or not version:
        return variant
    rows = [row for row in _alternatives(component, words, excluded) if _meets(row, version) and not row.obstacle]
    return max(rows, key=lambda row: _comparable(row.version), default=variant)


def _alternatives(component: Component, words: Collection[str], excluded: Collection[str]) -> list[Variant]:
    """The variants with one variation more than the words ask for."""
    rows = [choose(component, {*words, name}, excluded) for name in component.variations if name not in words]
    return [row for row in rows if isinstance(row, Variant)]


def _meets(variant: Variant, version: str) -> bool:
    """Whether a package is of a version; of a Python package the index has every version."""
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


def rank(have: Surroundings, row: Candidate, home: str, in_use: Collection[str]) -> tuple[bool, int, bool, bool, int, int, str]:
    """By what candidates are sorted; see `_REASONS`."""
    component = row.variant.component
    last = component.priority < 0  # even if it is installed: it is there for those who ask for it by its own tag
    return (
        last, _distance(have, component, home), row.pinned, not _is_there(have, row.variant, in_use), -component.priority,
        len(row.variant.tags), component.entry.alias,
    )  # fmt: skip


def why_first(have: Surroundings, first: Candidate, other: Candidate, home: str, in_use: Collection[str]) -> str:
    """Why one candidate comes before another."""
    pairs = zip(rank(have, first, home, in_use), rank(have, other, home, in_use), _REASONS, strict=True)
    return next((reason for mine, its, reason in pairs if mine != its), _REASONS[-1])


def _distance(have: Surroundings, component: Component, home: str) -> int:
    """How far a package is from who asks: 0 in the asker's own repository, 1 in ours, 2 in any other."""
    repository = component.entry.repository
    if repository == home or (repository in have.own and (not home or home in have.own)):
        return 0
    return 1 if repository in have.own else 2


def _is_there(have: Surroundings, variant: Variant, in_use: Collection[str]) -> bool:
    if variant.python_package:
        return canonicalize_name(variant.python_package) in in_use
    uid = variant.component.entry.uid
    made = ((env.component.uid, env.variations) for env in have.installed.values() if env.component)
    return (uid, variant.chosen) in made

"""Meet needs with what is installed, what is registered, and what can be installed."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ck_repo.errors import CKError, ConflictError, NotFoundError, did_you_mean
from ck_repo.resolve import plan as sources
from ck_repo.resolve.component import Component, Dependency
from ck_repo.resolve.counterpart import counterpart
from ck_repo.resolve.plan import Choice
from ck_repo.resolve.variations import Variant, choose
from ck_repo.resolve.versions import is_version, joined, range_of, satisfies
from ck_repo.store.digest import of_value
from ck_repo.store.entry import tag_list
from ck_repo.store.query import TagQuery

_LISTS = "`ck search package --tags=…` lists what there is"
_MOST_CANDIDATES = 50  # of a need, that are tried one after the other
_DEEPEST = 50  # dependencies below each other


@dataclass(frozen=True)
class Surroundings:
    """What is there already, as read from the disk before anything is decided.

    Attributes
    ----------
    packages
        Every package entry.
    registered
        Meta of each env entry that the user registered, the latest first.
    installed
        Meta of each env entry that a package made, by its key.
    python_packages
        Name (normalised) to version, of what the venv has.
    python
        The version of the venv's Python; empty if there is no venv.
    own
        Aliases of the repositories whose packages come before every other repository's: the user's `local`, and ours.
    """

    packages: Sequence[Component]
    registered: Sequence[Mapping[str, Any]] = ()
    installed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    python_packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    own: frozenset[str] = frozenset()


class CircularDependencyError(ConflictError):
    """A package needs itself, directly or through what it needs."""


class Resolver:
    """Meets one need after another, so that the same package of Python is asked for once, with all ranges joined.

    Parameters
    ----------
    surroundings
        What is there.
    options
        Values for the conditions of dependencies.
    home
        Alias of the repository whose packages come first: that of the program or package which is resolved. Empty for ours.
    again
        Whether what is asked for is installed even if it is there; what it needs is not.
    added
        Further tags for the dependencies of what is asked for, by their key.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        options: Mapping[str, str] | None = None,
        home: str = "",
        *,
        again: bool = False,
        added: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._have = surroundings
        self._options = dict(options or {})
        self._home = home
        self._again = again
        self._added = dict(added or {})
        self._python_ranges: dict[str, list[tuple[str, str]]] = {}
        self._failed: dict[tuple[str, tuple[str, ...]], str] = {}  # of the need at hand: packages that lack something, and why
        self._tags_in_use: frozenset[str] | None = None

    def resolve(self, tags: str | Sequence[str], version: str = "", *, asker: str = "you") -> Choice:
        """Meet one need.

        Parameters
        ----------
        tags
            What it has to be; a tag that reads as a version is one.
        version
            A PEP 440 range.
        asker
            Who needs it, for messages.

        Raises
        ------
        NotFoundError
            If nothing has these tags; the message names the nearest tags and why each near miss was passed over.
        ConflictError
            If dependencies go round in a circle, or two needs exclude each other.
        """
        return self._meet(tag_list(tags), version, asker, (), self._home)

    def dependencies(
        self,
        rows: Sequence[Dependency],
        asker: str,
        trail: tuple[str, ...] = (),
        added: Mapping[str, Sequence[str]] | None = None,
        home: str | None = None,
    ) -> dict[str, Choice]:
        """Meet the dependencies of a component, those whose condition holds."""
        home = self._home if home is None else home
        chosen = {}
        for row in rows:
            if row.needed(self._options):
                extra = (added or {}).get(row.key) or row.default_tags
                found = self._meet([*row.tags, *extra], row.version, asker, trail, home)
                chosen[row.key] = self.in_format(found, row.format, asker) if row.format else found
        return chosen

    def in_format(self, choice: Choice, wanted: str, asker: str = "you") -> Choice:
        """A model in another format: by the fewest conversions that lead there.

        Raises
        ------
        NotFoundError
            If no conversions lead there; the message tells to which formats some do.
        """
        have = str(choice.section("model").get("format", ""))
        for component in self._way(have, wanted, choice, asker):
            variant = choose(component, ())
            assert isinstance(variant, Variant)
            choice = self._package(variant, f"{choice.name} as {wanted}", (), (), {sources.SOURCE: choice})
        return choice

    def _way(self, have: str, wanted: str, choice: Choice, asker: str) -> list[Component]:
        """The conversions from one format to another, the fewest; of equally few those whose names sort first."""
        ways: dict[str, list[Component]] = {have: []}
        waiting = [have]
        conversions = sorted((row for row in self._have.packages if row.conversion), key=lambda row: row.entry.alias)
        network = str(choice.section("model").get("network", ""))
        refused = [row for row in conversions if row.conversion and not row.conversion.takes(network)]
        conversions = [row for row in conversions if row not in refused]
        for now in waiting:  # grows while it is gone through: by one conversion more each time
            for row in conversions:
                if row.conversion and row.conversion.source == now and row.conversion.target not in ways:
                    ways[row.conversion.target] = [*ways[now], row]
                    waiting.append(row.conversion.target)
        if wanted not in ways:
            reachable = sorted(name for name in ways if name != have)
            hints = [f"it can be converted to {', '.join(reachable)}" if reachable else "there is no conversion of it at all"]
            hints += [f"{row.entry.alias} is not for the network {network}" for row in refused]
            raise NotFoundError(
                f"{choice.label} is a model in the format {have or '(unknown)'}, and no conversion leads to {wanted}, "
                f"which {asker} asked for",
                hint="\n".join(hints),
            )
        return ways[wanted]

    def _meet(self, tags: Sequence[str], version: str, asker: str, trail: tuple[str, ...], home: str) -> Choice:
        if not trail:
            self._failed = {}
        known = self._known_tags()
        pinned = [tag for tag in tags if is_version(tag) and tag not in known]
        query = TagQuery.parse([tag for tag in tags if tag not in pinned])
        version = ",".join(part for part in (version, *(f"=={tag.lstrip('v')}" for tag in pinned)) if part)
        range_of(version, f"the version that {asker} asks for")
        need = str(query) + (f" {version}" if version else "")
        passed: list[tuple[str, str]] = []
        for meta in self._have.registered:
            reason = _refusal(meta, query, version)
            if not reason:
                return _registered(meta, need, (*passed, *self._other_registered(meta, query, version, home)))
            missing = len(query.required - _names_and_tags(meta))
            if missing == 0 or (missing == 1 and len(query.required) > 2):  # a near miss is worth telling
                passed.append((str(meta.get("name")), reason))
        variants, refused = self._variants(query, version, home)
        if not variants:
            raise self._nothing(query, version, asker, [*passed, *refused])
        return self._first_that_can_be_had(variants, version, need, asker, trail, home, passed)

    def _first_that_can_be_had(
        self,
        variants: Sequence[Variant],
        version: str,
        need: str,
        asker: str,
        trail: tuple[str, ...],
        home: str,
        passed: Sequence[tuple[str, str]],
    ) -> Choice:
        """The first candidate whose own needs can be met; the others are passed over with the reason."""
        failures: list[tuple[str, CKError]] = []
        for number, variant in enumerate(variants[:_MOST_CANDIDATES]):
            ranges = {name: list(rows) for name, rows in self._python_ranges.items()}
            later = [
                (other.label, f"{variant.label} comes first: {self._why_first(variant, other, home)}")
                for other in variants[number + 1 :]
            ]
            why = (*passed, *((name, error.what) for name, error in failures), *later)
            try:
                if variant.python_package:
                    return self._python(variant, version, need, asker, why, again=self._again and not trail)
                return self._package(variant, need, trail, why)
            except (NotFoundError, CircularDependencyError) as error:
                self._python_ranges = ranges
                failures.append((variant.label, error))
        if len(failures) == 1:
            raise failures[0][1]
        more = f" (the first {len(failures)} of {len(variants)} were tried)" if len(variants) > len(failures) else ""
        raise NotFoundError(
            f"none of the packages with the tags {need} that {asker} asked for can be installed{more}",
            hint="\n".join([*(f"passed over {name}: {error.what}" for name, error in failures[:6]), _LISTS]),
        )

    def _other_registered(self, taken: Mapping[str, Any], query: TagQuery, version: str, home: str) -> list[tuple[str, str]]:
        rows = [meta for meta in self._have.registered if meta is not taken and not _refusal(meta, query, version)]
        others = [(str(meta.get("name")), f"{taken.get('name')} was registered later") for meta in rows]
        variants, _ = self._variants(query, version, home)
        return others + [(variant.label, "what is registered comes before packages") for variant in variants]

    def _variants(self, query: TagQuery, version: str, home: str) -> tuple[list[Variant], list[tuple[str, str]]]:
        """The packages that match, the best first; and those that miss by little, with the reason."""
        found, refused = [], []
        for package in self._have.packages:
            variant = choose(package, query.required, query.excluded)
            if package.conversion:
                if isinstance(variant, Variant):
                    refused.append(
                        (package.entry.alias, "it is a way to a model, not a model: ask for the model with --format=")
                    )
            elif isinstance(variant, str):
                shared = len(query.required & package.tags)
                if query.required & package.names or (shared and shared >= len(query.required) - 2):
                    refused.append((package.entry.alias, variant))
            elif variant.obstacle:
                refused.append((variant.label, variant.obstacle))
            elif not variant.python_package and not satisfies(variant.version or "0", version):
                refused.append((variant.label, f"its version {variant.version or '(none)'} is not in {version}"))
            else:
                found.append(variant)
        return sorted(found, key=lambda variant: self._rank(variant, home)), refused

    def _rank(self, variant: Variant, home: str) -> tuple[bool, int, bool, int, int, str]:
        component = variant.component
        last = component.priority < 0  # even if it is installed: it is there for those who ask for it by its own tag
        there = self._is_there(variant)
        return (
            last, self._distance(component, home), not there, -component.priority, len(variant.tags), component.entry.alias,
        )  # fmt: skip

    def _distance(self, component: Component, home: str) -> int:
        """How far a package is from who asks: 0 in the asker's own repository, 1 in ours, 2 in any other."""
        repository = component.entry.repository
        if repository == home or (repository in self._have.own and (not home or home in self._have.own)):
            return 0
        return 1 if repository in self._have.own else 2

    def _is_there(self, variant: Variant) -> bool:
        if variant.python_package:
            return self._in_venv(variant.python_package)
        uid = variant.component.entry.uid
        return any(
            meta.get("component", {}).get("uid") == uid and tuple(meta.get("variations", ())) == variant.chosen
            for meta in self._have.installed.values()
        )

    def _in_venv(self, name: str) -> bool:
        """Whether the venv has a Python package, or will have it for a need that was met before."""
        return _normal(name) in self._have.python_packages or _normal(name) in self._python_ranges

    def _why_first(self, first: Variant, other: Variant, home: str) -> str:
        reasons = (
            "its priority is higher",
            "it is of a nearer repository",
            "it is installed already",
            "its priority is higher",
            "it is the plainer match",
            "its name sorts first",
        )
        pairs = zip(self._rank(first, home), self._rank(other, home), reasons, strict=True)
        return next((reason for mine, its, reason in pairs if mine != its), reasons[-1])

    def _python(
        self,
        variant: Variant,
        version: str,
        need: str,
        asker: str,
        passed: tuple[tuple[str, str], ...],
        *,
        again: bool = False,
    ) -> Choice:
        name = variant.python_package
        clashing = [row for row in variant.component.python_excludes if self._in_venv(row)]
        if clashing:
            raise ConflictError(
                f"{name} and {clashing[0]} cannot be in one venv, as they have the same files; {clashing[0]} is in the venv, "
                "or something else needs it",
                hint="make another venv for it: `ck create venv:NAME --template=…`, and name it with --venv=NAME",
            )
        ranges = self._python_ranges.setdefault(_normal(name), [])
        ranges.append((version or variant.python_version, asker if version else variant.component.entry.alias))
        whole = joined(ranges, name)
        present = self._have.python_packages.get(_normal(name), "")
        fits = bool(present) and satisfies(present, whole)
        reason = (
            f"{name} {present} is in the venv"
            if fits
            else f"the venv has {name} {present}, not {whole}"
            if present
            else f"the venv has no {name}"
        )
        if fits and again:
            fits, reason = False, f"{name} {present} is in the venv, and is installed again"
        return Choice(
            need=need,
            source=sources.PYTHON,
            name=variant.component.name,
            key=f"python:{_normal(name)}{whole}",
            tags=variant.tags,
            version=present if fits else "",
            variant=variant,
            requirement=name + whole,
            present=present if fits else "",
            reason=reason,
            passed_over=passed,
        )

    def _package(
        self,
        variant: Variant,
        need: str,
        trail: tuple[str, ...],
        passed: tuple[tuple[str, str], ...],
        given: Mapping[str, Choice] | None = None,
    ) -> Choice:
        """A package with its dependencies, of which some may be given."""
        component = variant.component
        self._refuse_circle(component, trail)
        known = (component.full_name, variant.chosen)
        if not given and known in self._failed:
            raise NotFoundError(self._failed[known])
        rows = [row for row in variant.deps if row.key not in (given or {})]
        asker, home = component.entry.alias, component.entry.repository
        try:
            added = self._added_to(component, rows) if not trail and not given else {}
            deps = {**(given or {}), **self.dependencies(rows, asker, (*trail, component.full_name), added, home=home)}
        except (NotFoundError, CircularDependencyError) as error:
            if not given:
                self._failed[known] = error.what
            raise
        tools = {row.key for row in rows if row.tool}
        inputs = {name: below.key for name, below in deps.items() if name not in tools}
        key = install_key(component, variant.chosen, inputs, self._have.python)
        env = self._have.installed.get(key)
        reason = "its tags match, and it is not installed yet"
        tags = variant.tags
        if component.conversion:
            reason = f"a conversion from {component.conversion.source} to {component.conversion.target}, not made yet"
            tags = (deps[sources.SOURCE].tags | variant.tags) - {component.conversion.source}
        if env:
            reason = f"installed in {env.get('path')}"
        if env and self._again and not trail:
            reason, env = f"{reason}, and installed again", None
        return Choice(
            need, sources.INSTALLED if env else sources.PACKAGE, component.name, key, tags, variant.version,
            variant, env=env or {}, deps={} if env else deps, reason=reason, passed_over=passed,
        )  # fmt: skip

    @staticmethod
    def _refuse_circle(component: Component, trail: tuple[str, ...]) -> None:
        name = component.full_name
        if name in trail:
            circle = " → ".join(row.rpartition(":")[2] for row in [*trail[trail.index(name) :], name])
            raise CircularDependencyError(f"the dependencies go round in a circle: {circle}", hint="fix one of them")
        if len(trail) >= _DEEPEST:
            raise CircularDependencyError(
                f"the dependencies of {trail[0].rpartition(':')[2]} are more than {_DEEPEST} deep", hint="fix the deps"
            )

    def _added_to(self, component: Component, rows: Sequence[Dependency]) -> Mapping[str, Sequence[str]]:
        """The tags that the user adds to the dependencies of what is asked for; one that it does not have is an error."""
        keys = [row.key for row in rows]
        if unknown := sorted(set(self._added) - set(keys)):
            raise NotFoundError(
                f"{component.entry.alias} has no dependency {unknown[0]!r}", hint=did_you_mean(unknown[0], keys)
            )
        return self._added

    def _nothing(self, query: TagQuery, version: str, asker: str, passed: Sequence[tuple[str, str]]) -> CKError:
        need = str(query) + (f" {version}" if version else "")
        known = self._known_tags()
        named = frozenset().union(*(package.names for package in self._have.packages)) & query.required
        unknown = sorted(query.required - known - named)
        if unknown and ":" in unknown[0]:
            names = [name for package in self._have.packages for name in (package.full_name, package.entry.cid)]
            return NotFoundError(f"there is no {unknown[0]}", hint="\n".join([did_you_mean(unknown[0], names), _LISTS]))
        if unknown:
            # the tags of what meets the rest of the need are nearer than those of anything else
            near = self._known_tags(query.required - set(unknown)) or known
            hints = [did_you_mean(unknown[0], near - query.required)]
            return NotFoundError(f"nothing has the tag {unknown[0]!r}", hint="\n".join([*hints, _LISTS]))
        conflicts = [why for _, why in passed if "exclude each other" in why]
        if conflicts:
            return ConflictError(f"{need}: {conflicts[0]}", hint="ask for one of the two")
        if blocked := self._blocked(query):
            return blocked
        reasons = [f"passed over {name}: {why}" for name, why in passed[:6]]
        return NotFoundError(
            f"nothing has all the tags {query}{f' in a version {version}' if version else ''} that {asker} asked for",
            hint="\n".join([*reasons, _LISTS]),
        )

    def _blocked(self, query: TagQuery) -> NotFoundError | None:
        """The error for tags that only packages have which cannot be carried out; None if some other has them, or none."""
        rows = [choose(package, query.required, query.excluded) for package in self._have.packages]
        blocked = [row for row in rows if isinstance(row, Variant) and row.obstacle]
        if not blocked:
            return None
        hints = []
        for row in blocked[:_MOST_CANDIDATES]:
            ours = counterpart(row.component, self._have.packages, self._have.own)
            instead = f"; `ck install package:{ours}` installs one of ours" if ours else ""
            hints.append(f"{row.component.full_name}: {row.obstacle}{instead}")
        if len(blocked) == 1:
            what, _, instead = hints[0].partition("; `")
            return NotFoundError(f"{what}, so it cannot be installed", hint=f"`{instead}" if instead else _LISTS)
        return NotFoundError(f"none of the packages with the tags {query} can be installed", hint="\n".join([*hints, _LISTS]))

    def _known_tags(self, shared: frozenset[str] = frozenset()) -> frozenset[str]:
        """Every tag of what has all the tags `shared`."""
        if not shared and self._tags_in_use is not None:
            return self._tags_in_use
        rows = [_names_and_tags(meta) for meta in self._have.registered]
        for package in self._have.packages:
            more = {tag for row in package.variations.values() for tag in (row.name, *row.tags)}
            rows.append(package.tags | more)
        tags = frozenset().union(*(row for row in rows if shared <= row))
        if not shared:
            self._tags_in_use = tags
        return tags

    def with_options(self, **more: str) -> Resolver:
        """The same, with further values for conditions."""
        other = Resolver(self._have, {**self._options, **more}, self._home, again=self._again, added=self._added)
        other._python_ranges = self._python_ranges
        return other


def install_key(component: Component, variations: Sequence[str], inputs: Mapping[str, str], python: str = "") -> str:
    """The digest that names what a package installs: same key, same thing.

    Parameters
    ----------
    python
        The version of the venv's Python, whose minor version counts where the component is for one.
    """
    machine = f"{sys.platform}-{platform.machine()}"
    if component.per_python:
        machine += f"-python{'.'.join(python.split('.')[:2])}"
    return of_value({"entry": component.digest, "variations": sorted(variations), "inputs": inputs, "platform": machine})


def _registered(meta: Mapping[str, Any], need: str, passed: Sequence[tuple[str, str]]) -> Choice:
    return Choice(
        need, sources.REGISTERED, str(meta.get("name")), str(meta.get("key")), frozenset(meta.get("tags", [])),
        str(meta.get("version", "")), env=meta, reason=f"registered, in {meta.get('path')}", passed_over=tuple(passed),
    )  # fmt: skip


def _names_and_tags(meta: Mapping[str, Any]) -> frozenset[str]:
    """By what something registered may be asked for: its tags, its UID, its name."""
    return frozenset([*meta.get("tags", []), str(meta.get("uid")), str(meta.get("name"))])


def _refusal(meta: Mapping[str, Any], query: TagQuery, version: str) -> str:
    """Why something registered does not meet a need; empty if it does."""
    tags = _names_and_tags(meta)
    if meta.get("problem"):
        return str(meta["problem"])
    if missing := sorted(query.required - tags):
        return f"it has no tag {missing[0]}"
    if unwanted := sorted(query.excluded & tags):
        return f"it has the tag {unwanted[0]}, which is excluded"
    if not satisfies(str(meta.get("version", "")), version):
        return f"its version {meta.get('version')} is not in {version}"
    return ""


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name))

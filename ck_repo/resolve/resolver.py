"""Meet needs with installed, registered and installable components."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence

from ck_repo.errors import CKError, ConflictError, NotFoundError, did_you_mean
from ck_repo.resolve.candidates import Candidate, candidates, why_first
from ck_repo.resolve.component import Component, Dependency
from ck_repo.resolve.context import Context
from ck_repo.resolve.conversion import way
from ck_repo.resolve.failure import none_works, nothing
from ck_repo.resolve.need import Need
from ck_repo.resolve.plan import SOURCE, Choice, InstalledPackage, NewPackage, PythonPackage, RegisteredFile
from ck_repo.resolve.registered import is_near, refusal
from ck_repo.resolve.variations import Variant, choose
from ck_repo.resolve.versions import joined, satisfies
from ck_repo.store.digest import of_value
from ck_repo.store.entry import tag_list
from ck_repo.store.installed import Installed

_MAX_CANDIDATES = 50  # maximum candidates of a need that are tried in turn
_DEEPEST = 50  # maximum depth of dependencies


class CircularDependencyError(ConflictError):
    """A package depends on itself, directly or indirectly."""


class Resolver:
    """Meets needs one after another, so that each Python package is requested once, with all ranges combined.

    Parameters
    ----------
    context
        The available components.
    options
        Values for the conditions of dependencies.
    home
        Alias of the repository whose packages are preferred: that of the resolved program or package. Empty for ours.
    again
        Whether to install the requested components even if they exist, but not their dependencies.
    added
        Additional tags for the dependencies of the requested components, by their key.
    """

    def __init__(
        self,
        context: Context,
        options: Mapping[str, str] | None = None,
        home: str = "",
        *,
        again: bool = False,
        added: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._have = context
        self._options = dict(options or {})
        self._home = home
        self._again = again
        self._added = dict(added or {})
        self._python_ranges: dict[str, list[tuple[str, str]]] = {}
        # for the current need: packages with unmet dependencies, and why
        self._failed: dict[tuple[str, tuple[str, ...]], str] = {}

    def resolve(self, tags: str | Sequence[str], version: str = "", *, asker: str = "you") -> Choice:
        """Meet one need.

        Parameters
        ----------
        tags
            Requirements; a tag that looks like a version is one.
        version
            A PEP 440 range.
        asker
            Who needs it, for messages.

        Raises
        ------
        NotFoundError
            If nothing has these tags; the message lists similar tags and the reasons of near misses.
        ConflictError
            If dependencies are circular, or two needs exclude each other.
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
        """Convert a model or data set to another format, by the shortest chain of conversions.

        Raises
        ------
        NotFoundError
            If there is no chain of conversions; the message lists reachable formats.
        """
        for component in way(self._have.packages.conversions(), wanted, choice, asker):
            variant = choose(component, ())
            assert isinstance(variant, Variant)
            choice = self._package(variant, f"{choice.name} as {wanted}", (), (), {SOURCE: choice})
        return choice

    def _meet(self, tags: Sequence[str], version: str, asker: str, trail: tuple[str, ...], home: str) -> Choice:
        if not trail:
            self._failed = {}
        need = Need.parse(map(self._canonical, tags), version, asker)
        passed: list[tuple[str, str]] = []
        for env in self._have.registered:
            reason = refusal(env, need)
            if not reason:
                return _registered(env, str(need), (*passed, *self._other_registered(env, need, home)))
            if is_near(env, need):
                passed.append((env.name, reason))
        found = candidates(self._have, need, home, self._in_use)
        if not found.candidates:
            raise nothing(self._have, need, asker, passed, found)
        every = [*(variant for variant, _ in found.blocked), *(row.variant for row in found.candidates)]
        passed += [(variant.label_among(every), why) for variant, why in found.blocked]
        return self._first_that_can_be_had(found.candidates, need, asker, trail, home, passed)

    def _first_that_can_be_had(
        self,
        rows: Sequence[Candidate],
        need: Need,
        asker: str,
        trail: tuple[str, ...],
        home: str,
        passed: Sequence[tuple[str, str]],
    ) -> Choice:
        """The first candidate whose own dependencies can be met; the others are rejected with the reason."""
        failures: list[tuple[str, CKError]] = []
        every = [row.variant for row in rows]
        for number, row in enumerate(rows[:_MAX_CANDIDATES]):
            ranges = {name: list(asked) for name, asked in self._python_ranges.items()}
            label = row.variant.label_among(every)
            later = [
                (
                    other.variant.label_among(every),
                    f"{label} is preferred: {why_first(self._have, row, other, home, self._in_use)}",
                )
                for other in rows[number + 1 :]
            ]
            why = (*passed, *((name, error.what) for name, error in failures), *later)
            try:
                if row.variant.python_package:
                    return self._python(row.variant, row.version, str(need), asker, why, again=self._again and not trail)
                return self._package(row.variant, str(need), trail, why)
            except (NotFoundError, CircularDependencyError) as error:
                self._python_ranges = ranges
                failures.append((label, error))
        raise failures[0][1] if len(failures) == 1 else none_works(need, asker, failures, len(rows))

    def _other_registered(self, taken: Installed, need: Need, home: str) -> list[tuple[str, str]]:
        rows = [env for env in self._have.registered if env is not taken and not refusal(env, need)]
        others = [(env.name, f"{taken.name} was registered later") for env in rows]
        packages = candidates(self._have, need, home, self._in_use).candidates
        every = [row.variant for row in packages]
        return others + [(each.label_among(every), "registered components take precedence over packages") for each in every]

    def _canonical(self, tag: str) -> str:
        return tag if tag.startswith("-") else self._have.packages.canonical(tag)

    @property
    def _in_use(self) -> frozenset[str]:
        """The Python packages that the venv has, or will have for an earlier need."""
        return frozenset({*self._have.python_packages, *self._python_ranges})

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
        clashing = [row for row in variant.component.python_excludes if _normal(row) in self._in_use]
        if clashing:
            raise ConflictError(
                f"{name} and {clashing[0]} cannot be in one venv: they have the same files; {clashing[0]} is in the venv, "
                "or needed by another component",
                hint="create another venv for it: `ck create venv:NAME --template=…`, and select it with --venv=NAME",
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
        return PythonPackage(
            need=need,
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
        """A package with its dependencies, some of which may be given."""
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
        reason = "its tags match; not installed yet"
        tags = variant.tags
        if component.conversion:
            reason = f"a conversion from {component.conversion.source} to {component.conversion.target}, not installed yet"
            tags = (deps[SOURCE].tags | variant.tags) - {component.conversion.source}
        if env:
            reason = f"installed in {env.path}"
        if env and self._again and not trail:
            reason, env = f"{reason}, and installed again", None
        if env:
            return InstalledPackage(
                need=need, name=component.name, key=key, tags=tags, version=variant.version, variant=variant, env=env,
                reason=reason, passed_over=passed,
            )  # fmt: skip
        return NewPackage(
            need=need, name=component.name, key=key, tags=tags, version=variant.version, variant=variant, deps=deps,
            reason=reason, passed_over=passed,
        )  # fmt: skip

    @staticmethod
    def _refuse_circle(component: Component, trail: tuple[str, ...]) -> None:
        name = component.full_name
        if name in trail:
            circle = " → ".join(row.rpartition(":")[2] for row in [*trail[trail.index(name) :], name])
            raise CircularDependencyError(f"circular dependencies: {circle}", hint="fix one of them")
        if len(trail) >= _DEEPEST:
            raise CircularDependencyError(
                f"the dependencies of {trail[0].rpartition(':')[2]} are more than {_DEEPEST} levels deep", hint="fix the deps"
            )

    def _added_to(self, component: Component, rows: Sequence[Dependency]) -> Mapping[str, Sequence[str]]:
        """The user's additional tags for dependencies of the requested component; unknown dependencies are an error."""
        keys = [row.key for row in rows]
        if unknown := sorted(set(self._added) - set(keys)):
            raise NotFoundError(
                f"{component.entry.alias} has no dependency {unknown[0]!r}", hint=did_you_mean(unknown[0], keys)
            )
        return self._added

    def with_options(self, **more: str) -> Resolver:
        """The same with additional values for conditions."""
        other = Resolver(self._have, {**self._options, **more}, self._home, again=self._again, added=self._added)
        other._python_ranges = self._python_ranges
        return other


def install_key(component: Component, variations: Sequence[str], inputs: Mapping[str, str], python: str = "") -> str:
    """The digest that identifies the result of a package: equal keys mean equal results.

    Parameters
    ----------
    python
        The version of the venv's Python, whose minor version counts if the component is built for one.
    """
    machine = f"{sys.platform}-{platform.machine()}"
    if component.per_python:
        machine += f"-python{'.'.join(python.split('.')[:2])}"
    return of_value({"entry": component.digest, "variations": sorted(variations), "inputs": inputs, "platform": machine})


def _registered(env: Installed, need: str, passed: Sequence[tuple[str, str]]) -> RegisteredFile:
    return RegisteredFile(
        need=need, name=env.name, key=env.key, tags=frozenset(env.tags), version=env.version, env=env,
        reason=f"registered, in {env.path}", passed_over=tuple(passed),
    )  # fmt: skip


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name))

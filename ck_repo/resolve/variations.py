"""Select a component's variations for the requested tags."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ck_repo.resolve.component import Component, Dependency, Variation, dependencies_of


@dataclass(frozen=True)
class Variant:
    """A component with selected variations.

    Attributes
    ----------
    chosen
        Names of the variations, sorted.
    tags
        The tags of the component in these variations.
    """

    component: Component
    chosen: tuple[str, ...]
    tags: frozenset[str]

    @property
    def obstacle(self) -> str:
        """Why this variant is not supported; empty if it is."""
        return self.component.obstacle(self.chosen)

    @property
    def python_package(self) -> str:
        """Its package on the Python index; empty without one."""
        return self._python("name") if self.component.stock else self.component.python_package

    @property
    def python_version(self) -> str:
        """The default range of its Python package."""
        return self._python("version") if self.component.stock else self.component.python_version

    @property
    def version(self) -> str:
        """The version of the result."""
        changed = self.component.stock or self.chosen
        return self.component.fields(self.chosen).text("version") if changed else self.component.version

    def _python(self, key: str) -> str:
        return self.component.fields(self.chosen).fields("python_package").text(key)

    @property
    def deps(self) -> tuple[Dependency, ...]:
        """The dependencies; those of the variations replace those of the component."""
        if self.component.stock:
            return dependencies_of(self.component.fields(self.chosen))
        rows = {row.key: row for row in self.component.deps}
        for name in self.chosen:
            rows |= {row.key: row for row in self.component.variations[name].deps}
        return tuple(rows.values())

    @property
    def label(self) -> str:
        """The component's alias with its variations."""
        return self._with_variations(self.component.entry.alias)

    def label_among(self, others: Iterable[Variant]) -> str:
        """The label, with repository and module if another component has the same alias."""
        alias, full_name = self.component.entry.alias, self.component.full_name
        same = any(row.component.entry.alias == alias and row.component.full_name != full_name for row in others)
        return self._with_variations(full_name if same else alias)

    def _with_variations(self, name: str) -> str:
        return name + (f" ({', '.join(self.chosen)})" if self.chosen else "")


def choose(component: Component, wanted: Collection[str], excluded: Collection[str] = ()) -> Variant | str:
    """The variant with all the wanted tags and none of the excluded, or the reason why there is none.

    A variation is selected if its name or one of its tags is requested and the component has that tag in no other way; at most
    one of each exclusive group, whose default is used if none is requested.
    """
    chosen = {name for name in component.variations if name in wanted}
    for tag in sorted(set(wanted) - component.tags - component.names - chosen):
        rows = [row for row in component.variations.values() if tag in row.tags]
        if not rows:
            return f"it has no tag {tag}"
        if not any(row.name in chosen for row in rows):
            chosen.add(next((row for row in rows if row.default), rows[0]).name)
    groups: dict[str, str] = {}
    for name in sorted(chosen):
        group = component.variations[name].group
        if group and group in groups:
            return f"{groups[group]} and {name} exclude each other: both are of the group {group}"
        groups[group] = name
    if clash := _clash([component.variations[name] for name in sorted(chosen)]):
        return clash
    for row in component.variations.values():
        free = row.group not in groups if row.group else row.name not in excluded
        taken = {key for name in chosen for key in component.variations[name].settings}
        if row.default and free and taken.isdisjoint(row.settings):
            chosen.add(row.name)
    names = tuple(sorted(chosen))
    tags = set(component.tags)
    for name in names:
        tags |= {name, *component.variations[name].tags}
    for tag in excluded:
        if tag in tags:
            return f"it has the tag {tag}, which is excluded"
    return Variant(component, names, frozenset(tags))


def _clash(rows: Sequence[Variation]) -> str:
    """Which variations exclude each other because they set the same thing to different values; empty if none do."""
    seen: dict[str, Variation] = {}
    for row in rows:
        for key, value in row.settings.items():
            other = seen.setdefault(key, row)
            if other.settings[key] != value:
                return f"{other.name} and {row.name} exclude each other: both set {key}"
    return ""


def offered(component: Component, wanted: Collection[str], excluded: Collection[str] = ()) -> list[str] | None:
    """The variations for the wanted tags and without the excluded ones; a default has a star.

    If the wanted tags select one of a group, only that one. None if no variant matches.
    """
    if isinstance(choose(component, wanted, excluded), str):
        return None
    names = []
    for row in component.variations.values():
        variant = choose(component, {*wanted, row.name}, excluded)
        if isinstance(variant, Variant):
            names.append(row.name + ("*" if row.default else ""))
    return names

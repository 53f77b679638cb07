"""A component: a package or program entry with its parsed meta.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ck_repo.errors import ConfigError
from ck_repo.resolve.package_keys import check_keys
from ck_repo.stock.package import StockPackage, is_stock_package, read_stock_package
from ck_repo.stock.scripts import PIP
from ck_repo.stock.translate import Translation, translate, usable_default
from ck_repo.store import digest
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.plain_file import A_FOLDER, flaw

_PRODUCING = ("install", "python_package", "conversion", "deps")  # keys of a recipe, of which a package needs at least one
PLAIN_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Dependency:
    """A dependency of a component.

    Attributes
    ----------
    key
        Its name in the component, for options (``--dep_add_tags.KEY=``) and conditions.
    tags
        The requirements.
    version
        A PEP 440 range; empty for any.
    when
        Option values for which it is needed, all of them: ``{"backend": ("onnxruntime",)}``.
    tool
        Whether it is only used to build the component without changing the result, so that it is not part of the digest.
    default_tags
        Tags that are added when the user adds none.
    format
        The required format of a model, which is converted if necessary. Empty for any.
    also
        Other names of it for ``--dep_add_tags.NAME=``.
    """

    key: str
    tags: tuple[str, ...]
    version: str = ""
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tool: bool = False
    default_tags: tuple[str, ...] = ()
    format: str = ""
    also: tuple[str, ...] = ()

    def needed(self, options: Mapping[str, str]) -> bool:
        """Whether it is needed with these options."""
        return all(options.get(name, "") in values for name, values in self.when.items())


@dataclass(frozen=True)
class Variation:
    """A variation of a component: its name is a tag that users may request.

    Attributes
    ----------
    settings
        For a stock package: what it sets. Two variations that set the same thing to different values exclude each other, and a
        default is dropped if another variation sets one of its things.
    """

    name: str
    group: str = ""
    default: bool = False
    tags: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    deps: tuple[Dependency, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conversion:
    """What a component converts: the source and target format of a model.

    Attributes
    ----------
    networks
        Supported networks; any if empty.
    """

    source: str
    target: str
    networks: tuple[str, ...] = ()

    def takes(self, network: str) -> bool:
        """Whether it may convert a model of that network; for an unknown network the conversion itself decides."""
        return not (self.networks and network) or network in self.networks


@dataclass(frozen=True)
class Component:
    """A package or program entry.

    Attributes
    ----------
    entry
        Where it is.
    name
        Its readable name.
    tags
        Tags that it has in any variation.
    python_package
        Name and default version range of its package on the Python index; empty without one.
    python_excludes
        Packages of the Python index that cannot be in the same venv, because they have the same files.
    priority
        Among matches, installed ones are preferred, then the highest priority. Negative ones are only used, installed or not,
        if nothing else has the requested tags.
    conversion
        The formats between which it converts its dependency `source`; None if it is not a conversion.
    uses
        Files and folders outside the entry that its recipe runs, relative to the root of its repository. They are part of its
        digest.
    per_python
        Whether the result is for one minor version of Python, like a compiled module.
    stock
        The package in stock CK's form, if its meta is stock CK's; its recipe is translated for each choice of variations.
    versions
        For a stock package: versions of its Python package that are variations in stock CK.
    remarks
        Ignored keys of the meta.
    """

    entry: Entry
    name: str
    tags: frozenset[str]
    version: str
    deps: tuple[Dependency, ...]
    variations: Mapping[str, Variation]
    python_package: str
    python_version: str
    priority: int
    meta: Mapping[str, Any]
    conversion: Conversion | None = None
    uses: tuple[str, ...] = ()
    python_excludes: tuple[str, ...] = ()
    per_python: bool = False
    stock: StockPackage | None = None
    versions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    _translations: dict[tuple[str, ...], Translation] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the entry: its canonical meta and its files, including those outside the entry that it uses."""
        own = digest.of_entry(self.entry)
        return digest.of_value([own, {name: digest.of_files(self.root / name) for name in self.uses}]) if self.uses else own

    @property
    def full_name(self) -> str:
        """``repository:module:alias``, which is unique."""
        return f"{self.entry.repository}:{self.entry.cid}"

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that only this component has: its UID, and its alias or UID with the module."""
        short = {f"{self.entry.module}:{name}" for name in (self.entry.alias, self.entry.uid)}
        return frozenset({self.entry.uid, *short, *(f"{self.entry.repository}:{name}" for name in short)})

    @cached_property
    def possible(self) -> frozenset[str]:
        """The tags that it has in any variation."""
        return self.tags.union(*((row.name, *row.tags) for row in self.variations.values()))

    @property
    def root(self) -> Path:
        """The root of its repository."""
        return self.entry.path.parent.parent

    def fields(self, variations: tuple[str, ...] = ()) -> Fields:
        """The meta updated with the variations."""
        from ck_repo.store.writing import merged

        if self.stock:
            return Fields(self.translation(variations).meta, self.entry.path / META)
        meta = dict(self.meta)
        for name in variations:
            meta = merged(meta, dict(self.variations[name].changes))
        return Fields(meta, self.entry.path / META)

    def translation(self, variations: tuple[str, ...] = ()) -> Translation:
        """A stock package in these variations as a meta of ours."""
        assert self.stock
        if variations not in self._translations:
            self._translations[variations] = translate(self.stock, variations)
        return self._translations[variations]

    def obstacle(self, variations: tuple[str, ...] = ()) -> str:
        """Why the recipe is not supported in these variations; empty if it is."""
        if self.stock:
            return self.translation(variations).obstacle
        fields = self.fields(variations)
        if any(fields.as_dict().get(key) for key in _PRODUCING):
            return ""
        return "its recipe has no steps and no Python package: nothing would be installed"


def read_component(entry: Entry) -> Component:
    """Parse an entry's meta.json; errors have its file and key."""
    meta = entry.meta()
    fields = Fields(meta, entry.path / META)
    if entry.module == "package" and is_stock_package(meta):
        return _stock_component(entry, fields)
    if entry.module == "package":
        check_keys(fields)
    python = fields.fields("python_package")
    variations = {name: _variation(name, row) for name, row in fields.each("variations").items()}
    _check_defaults(entry, variations)
    return Component(
        entry=entry,
        name=fields.text("name") or entry.alias,
        tags=frozenset({*fields.tags(), entry.alias}),
        version=fields.text("version"),
        deps=dependencies_of(fields),
        variations=variations,
        python_package=_python_name(python),
        python_version=python.text("version"),
        python_excludes=python.texts("excludes"),
        priority=fields.integer("priority", 0) or 0,
        meta=meta,
        conversion=_conversion(fields),
        uses=_uses(fields, entry),
        per_python=fields.flag("per_python"),
    )


def _stock_component(entry: Entry, fields: Fields) -> Component:
    """A stock package as a component. A variation that is only a version of a Python package becomes a version."""
    package = read_stock_package(fields, entry.path)
    default = usable_default(package)
    base = translate(package, (default,) if default else ())
    versions = [name for name, row in package.variations.items() if base.kind == PIP and row.only_version and not row.default]
    return Component(
        entry=entry,
        name=entry.alias,
        tags=frozenset({*fields.tags(), entry.alias}),
        version=str(base.meta.get("version", "")),
        deps=(),
        variations={
            name: Variation(name, "", row.default or name == default, row.tags, settings=row.settings)
            for name, row in package.variations.items()
            if name not in versions
        },
        python_package="",
        python_version="",
        priority=0,
        meta=fields.as_dict(),
        uses=tuple(base.meta.get("uses", ())),
        stock=package,
        versions=tuple(versions),
        remarks=package.remarks,
    )


def _python_name(python: Fields) -> str:
    """A plain name on the package index, not an option or URL."""
    name = python.text("name")
    if name and not PLAIN_NAME.fullmatch(name):
        raise python.error("name", name, "the name of a Python package")
    return name


def dependencies_of(fields: Fields) -> tuple[Dependency, ...]:
    """The `deps` of a component or variation."""
    rows = []
    for key, row in fields.each("deps").items():
        conditions = row.fields("when")
        when = {name: conditions.tags(name) for name in conditions.as_dict()}
        rows.append(
            Dependency(
                key,
                row.tags(),
                row.text("version"),
                when,
                row.flag("tool"),
                row.tags("default_tags"),
                row.text("format"),
                row.texts("also"),
            )
        )
    return tuple(rows)


def _conversion(fields: Fields) -> Conversion | None:
    if "conversion" not in fields:
        return None
    row = fields.fields("conversion")
    row.only("from", "to", "networks")
    return Conversion(row.needed("from"), row.needed("to"), row.texts("networks"))


def _uses(fields: Fields, entry: Entry) -> tuple[str, ...]:
    names = fields.texts("uses")
    for name in names:
        if flaw(entry.path.parent.parent, name) not in ("", A_FOLDER):
            raise fields.error("uses", name, "a file or folder of the repository")
    return names


def _variation(name: str, row: Fields) -> Variation:
    return Variation(name, row.text("group"), row.flag("default"), row.tags(), row.table("changes"), dependencies_of(row))


def _check_defaults(entry: Entry, variations: Mapping[str, Variation]) -> None:
    seen: dict[str, str] = {}
    for row in variations.values():
        if row.default and row.group:
            if row.group in seen:
                raise ConfigError(
                    f"{entry.path / META}: the variations {seen[row.group]} and {row.name} are both the default of {row.group}",
                    hint="a group can only have one default",
                )
            seen[row.group] = row.name

"""A component: a package or program entry, its meta.json parsed once."""

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

_PRODUCING = ("install", "python_package", "conversion", "deps")  # keys of a recipe, one of which it needs to bring anything
PLAIN_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Dependency:
    """What a component needs.

    Attributes
    ----------
    key
        Its name in the component, by which options (``--dep_add_tags.KEY=``) and conditions refer to it.
    tags
        What it has to be.
    version
        A PEP 440 range; empty for any.
    when
        Option values under which it is needed, all of them: ``{"backend": ("onnxruntime",)}``.
    tool
        It makes the component but does not change what comes out, so it is not part of the digest.
    default_tags
        Added when the user adds none.
    format
        The format that a model has to be in; what comes in another one is converted. Empty for any.
    also
        Other names of it, by which ``--dep_add_tags.NAME=`` may refer to it.
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
        """Whether the options call for it."""
        return all(options.get(name, "") in values for name, values in self.when.items())


@dataclass(frozen=True)
class Variation:
    """One way in which a component comes: its name is a tag that a user may ask for.

    Attributes
    ----------
    settings
        Of a stock package: what it sets. Two variations that set one thing to different values exclude each other, and a
        default yields to a variation that sets one of its things.
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
    """What a component converts: a model of one format into one of another.

    Attributes
    ----------
    networks
        Of which networks; any if empty.
    """

    source: str
    target: str
    networks: tuple[str, ...] = ()

    def takes(self, network: str) -> bool:
        """Whether it may convert a model of that network; of one that is unknown the conversion itself decides."""
        return not (self.networks and network) or network in self.networks


@dataclass(frozen=True)
class Component:
    """A package or program entry.

    Attributes
    ----------
    entry
        Where it is.
    name
        What people call it.
    tags
        What it is, in any variation.
    python_package
        Name and default version range of the package of the Python index that it stands for; empty names none.
    python_excludes
        Packages of the Python index that cannot be in the same venv, since they have the same files.
    priority
        Among those that match, what is installed is taken first, then the highest. Below zero it is taken last, installed or
        not: when nothing else has the tags that are asked for.
    conversion
        Between which formats it converts its dependency `source`; None if it is no conversion.
    uses
        Files and folders outside the entry that its recipe runs, from the root of its repository: they count to its digest.
    per_python
        Whether what it installs is for one minor version of Python, as a compiled module is.
    stock
        The package as stock CK has it, if its meta is stock's; its recipe is translated for each choice of variations.
    versions
        Of a stock package: versions of its Python package that stock has as variations.
    remarks
        Keys of the meta that were ignored.
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
        """SHA-256 of the entry: its canonical meta and its files, and those that it uses beside them."""
        own = digest.of_entry(self.entry)
        return digest.of_value([own, {name: digest.of_files(self.root / name) for name in self.uses}]) if self.uses else own

    @property
    def full_name(self) -> str:
        """``repository:module:alias``, which no other component has."""
        return f"{self.entry.repository}:{self.entry.cid}"

    @cached_property
    def names(self) -> frozenset[str]:
        """The names by which one may ask for this component and no other: its UID, and its alias or UID behind the module."""
        short = {f"{self.entry.module}:{name}" for name in (self.entry.alias, self.entry.uid)}
        return frozenset({self.entry.uid, *short, *(f"{self.entry.repository}:{name}" for name in short)})

    @cached_property
    def possible(self) -> frozenset[str]:
        """The tags that it has in some variation or other."""
        return self.tags.union(*((row.name, *row.tags) for row in self.variations.values()))

    @property
    def root(self) -> Path:
        """The root of its repository."""
        return self.entry.path.parent.parent

    def fields(self, variations: tuple[str, ...] = ()) -> Fields:
        """The meta with the variations laid over it."""
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
        """Why the component cannot be carried out in these variations; empty if it can."""
        if self.stock:
            return self.translation(variations).obstacle
        fields = self.fields(variations)
        if any(fields.as_dict().get(key) for key in _PRODUCING):
            return ""
        return "its recipe neither has steps nor names a Python package: nothing would be installed"


def read_component(entry: Entry) -> Component:
    """Parse an entry's meta.json; whatever is wrong is told with its file and key."""
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
        priority=fields.whole("priority", 0) or 0,
        meta=meta,
        conversion=_conversion(fields),
        uses=_uses(fields, entry),
        per_python=fields.flag("per_python"),
    )


def _stock_component(entry: Entry, fields: Fields) -> Component:
    """A stock package as a component. A variation that is only a version of a Python package is a version here."""
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
    """A plain name of the package index: no option, no URL."""
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
                    hint="a group has one default",
                )
            seen[row.group] = row.name

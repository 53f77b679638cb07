"""Networks: identifying weights and profiles, declared by modules of an entry-point group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from ck_repo.contract.profiles import expand
from ck_repo.contract.record import FieldError
from ck_repo.models.declared import declarations, own_folder
from ck_repo.store.fields import Fields

GROUP = "ck_repo.networks"
CONSTANT = "NETWORK"


@dataclass(frozen=True)
class DeclaredProfile:
    """A declared profile.

    Attributes
    ----------
    formats
        The formats of files with this profile.
    outputs_in_order
        Roles of the outputs if their names vary: ``boxes``, ``scores``, ….
    adapts
        Fields that a file determines: ``side``, ``layout`` or ``dtype``.
    shapes
        Outputs whose names vary, by a name for use in the profile's fields (``{rows}``): type and shape, as in
        ``float[B,4+C,N]``. Sizes with the same name are equal.
    sizes
        Bounds of the named sizes.
    fewer
        Two named sizes, of which the first is smaller.
    per_cell
        A named size, with the number of boxes for each cell of grids on the input: the size is that of all grids.
    not_per_cell
        The same for files that do not fit.
    metadata
        What the file's metadata contain, by key: it decides where several profiles fit.
    if_said
        What the file's metadata contain wherever they have the key: others do not fit.
    fields
        The profile itself; see `ck_repo.models.profiles.Profile`.
    """

    KEYS: ClassVar = (
        "formats", "input", "outputs_in_order", "adapts", "shapes", "sizes", "fewer", "per_cell", "not_per_cell", "metadata",
        "if_said",
    )  # fmt: skip

    name: str
    formats: tuple[str, ...]
    input: str
    outputs_in_order: tuple[str, ...]
    reference_faults: Mapping[str, Any]
    fields: Fields
    adapts: tuple[str, ...] = ()
    shapes: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    fewer: tuple[str, ...] = ()
    per_cell: Mapping[str, int] = field(default_factory=dict)
    not_per_cell: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    if_said: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network.

    Attributes
    ----------
    benchmark
        The benchmark whose rules apply to its runs.
    marker
        The weight that identifies files of the network; empty for a family of exports.
    """

    name: str
    benchmark: str
    marker: str
    profiles: tuple[DeclaredProfile, ...] = field(default=())

    def profile_of(self, model_format: str) -> DeclaredProfile | None:
        """The profile for files of a format; None if there is none."""
        return next((row for row in self.profiles if model_format in row.formats), None)


def read_networks(folders: Sequence[Path | None]) -> dict[str, Network]:
    """The networks that distributions in some folders declare, by name, in the order of their entry points.

    Raises
    ------
    ConfigError
        If a declaration lacks a key or has an unknown one.
    """
    return {name: _network(name, fields) for name, fields in declarations(GROUP, CONSTANT, folders).items()}


def declared_profiles(networks: Mapping[str, Network]) -> dict[str, DeclaredProfile]:
    """The profiles of networks by name, in their order; of two with the same name the first is used."""
    found: dict[str, DeclaredProfile] = {}
    for network in networks.values():
        for row in network.profiles:
            found.setdefault(row.name, row)
    return found


@cache
def own_networks() -> Mapping[str, Network]:
    """The networks of the benchmark of this package."""
    return read_networks([own_folder()])


def _network(name: str, fields: Fields) -> Network:
    fields.only("benchmark", "marker", "builders", "profiles")
    try:
        declared = expand({key: row.as_dict() for key, row in fields.each("profiles").items()})
    except FieldError as error:
        raise fields.error(error.key, error.value, error.expected) from None
    profiles = [
        DeclaredProfile(
            key,
            row.texts("formats"),
            row.text("input"),
            row.texts("outputs_in_order"),
            row.table("reference_faults"),
            row,
            row.texts("adapts"),
            {each: row.fields("shapes").needed(each) for each in row.table("shapes")},
            {each: _bounds(row, each, value) for each, value in row.table("sizes").items()},
            row.texts("fewer"),
            {each: _number(row, f"per_cell.{each}", value) for each, value in row.table("per_cell").items()},
            {each: _number(row, f"not_per_cell.{each}", value) for each, value in row.table("not_per_cell").items()},
            {each: row.fields("metadata").needed(each) for each in row.table("metadata")},
            {each: row.fields("if_said").needed(each) for each in row.table("if_said")},
        )
        for key, row in fields.replaced("profiles", declared).each("profiles").items()
    ]
    return Network(name, fields.text("benchmark"), fields.text("marker"), tuple(profiles))


def _bounds(row: Fields, key: str, value: object) -> tuple[int, int]:
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(each, int) for each in value)):
        raise row.error(f"sizes.{key}", value, "the minimum and the maximum size")
    return value[0], value[1]


def _number(row: Fields, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise row.error(key, value, "a number of boxes")
    return value

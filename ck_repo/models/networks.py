"""Networks: the weights that identify them, and their profiles, as modules of an entry-point group declare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ck_repo.models.declared import declarations, own_folder
from ck_repo.store.fields import Fields

GROUP = "ck_repo.networks"
CONSTANT = "NETWORK"


@dataclass(frozen=True)
class DeclaredProfile:
    """A profile as it is declared.

    Attributes
    ----------
    formats
        The formats of the network's files that have it.
    outputs_in_order
        What the outputs are, where their names are up to the file: ``boxes``, ``scores``, ….
    fields
        The profile itself; see `ck_repo.models.profiles.Profile`.
    """

    name: str
    formats: tuple[str, ...]
    input: str
    outputs_in_order: tuple[str, ...]
    reference_faults: Mapping[str, Any]
    fields: Fields


@dataclass(frozen=True)
class Network:
    """A network.

    Attributes
    ----------
    benchmark
        Whose rules its runs fall under.
    marker
        The weight by which a file is recognised as the network's.
    """

    name: str
    benchmark: str
    marker: str
    profiles: tuple[DeclaredProfile, ...] = field(default=())

    def profile_of(self, model_format: str) -> DeclaredProfile | None:
        """The profile of files of a format; None if there is none."""
        return next((row for row in self.profiles if model_format in row.formats), None)


def read_networks(folders: Sequence[Path | None]) -> dict[str, Network]:
    """The networks that distributions in some folders declare, by name, in the order of their entry points.

    Raises
    ------
    ConfigError
        If a declaration lacks something or has an unknown key.
    """
    return {name: _network(name, fields) for name, fields in declarations(GROUP, CONSTANT, folders).items()}


@cache
def own_networks() -> Mapping[str, Network]:
    """The networks of the benchmark that comes with this package."""
    return read_networks([own_folder()])


def _network(name: str, fields: Fields) -> Network:
    fields.only("benchmark", "marker", "builders", "profiles")
    profiles = [
        DeclaredProfile(
            key, row.texts("formats"), row.text("input"), row.texts("outputs_in_order"), row.table("reference_faults"), row
        )
        for key, row in fields.each("profiles").items()
    ]
    return Network(name, fields.text("benchmark"), fields.needed("marker"), tuple(profiles))

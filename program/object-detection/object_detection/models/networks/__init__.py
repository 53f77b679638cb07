"""The known networks, each declared once by a module of the entry-point group `ck_repo.networks`.

A module's `NETWORK` defines how a file of weights is recognised, the interface in each format, and the builders for each
framework. The engine reads the same declaration without importing it. Importing a declaration imports no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypedDict

from object_detection.contract.profiles import expand
from object_detection.errors import HarnessError

GROUP = "ck_repo.networks"


class FileInterface(TypedDict):
    """The interface of a model file: the name of a profile, its input, and its outputs by role."""

    profile: str
    input: str
    outputs: dict[str, str]


@dataclass(frozen=True)
class Network:
    """A network.

    Attributes
    ----------
    marker
        The weight that identifies a file without metadata; empty for a family of exports.
    profiles
        The interfaces, by the names of the engine's profiles.
    builders
        ``module:function`` by framework.
    """

    name: str
    marker: str
    profiles: Mapping[str, Mapping[str, Any]]
    builders: Mapping[str, str]

    def builder(self, framework: str) -> Callable[..., Any]:
        """The function that builds the network in a framework.

        Raises
        ------
        HarnessError
            If there is none.
        """
        if framework not in self.builders:
            raise HarnessError(
                f"the network {self.name} cannot be built in {framework}",
                f"supported: {', '.join(self.builders) or 'no framework'}",
            )
        module, _, function = self.builders[framework].partition(":")
        found: Callable[..., Any] = getattr(import_module(module), function)
        return found

    def profile_for(self, model_format: str) -> Mapping[str, Any]:
        """The profile of the network's files of a format, and its `name`.

        Raises
        ------
        HarnessError
            If none is declared.
        """
        for name, row in self.profiles.items():
            if model_format in row["formats"]:
                return {"name": name, **row}
        raise HarnessError(f"the network {self.name} has no profile for {model_format}", "declare one in its NETWORK")

    def interface(self, model_format: str) -> FileInterface:
        """The interface of a file of a format: `profile`, `input` and `outputs`, as in a model's description."""
        row = self.profile_for(model_format)
        outputs = {key: row.get(key, "") for key in ("boxes", "scores", "classes", "count")}
        return FileInterface(profile=row["name"], input=row["input"], outputs=outputs)


def known_networks() -> Mapping[str, Network]:
    """Every declared network by name; of two with the same name, the first one on the search path."""
    found: dict[str, Network] = {}
    for row in entry_points(group=GROUP):
        if row.name not in found:
            declared = import_module(row.value.partition(":")[0]).NETWORK
            found[row.name] = Network(
                row.name, declared.get("marker", ""), expand(declared["profiles"]), declared.get("builders", {})
            )
    return found


def network_of(names: Collection[str], metadata: Mapping[str, str], source: object) -> Network:
    """The network in a file's metadata, else the one whose marker is among its weights.

    Raises
    ------
    HarnessError
        If there is none, or the marker is missing.
    """
    known = known_networks()
    name = metadata.get("architecture") or next((row.name for row in known.values() if row.marker and row.marker in names), "")
    if name not in known or not known[name].marker:
        raise HarnessError(
            f"{source} does not have the weights of a known network ({name or next(iter(names), 'it is empty')})",
            f"known: {', '.join(row.name for row in known.values() if row.marker)}",
        )
    if known[name].marker not in names:
        raise HarnessError(f"{source} is not {name}: it lacks {known[name].marker}")
    return known[name]

"""Backends: the format that each framework runs, and the rest of its module's declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ck_repo.models.backend_options import BackendOption, read_options
from ck_repo.models.declared import declarations, own_folder
from ck_repo.store.fields import Fields

GROUP = "ck_repo.backends"
CONSTANT = "BACKEND"
_KEYS = (
    "runs",
    "default_for",
    "deps",
    "also_called",
    "replaces",
    "python_packages",
    "submitted_as",
    "submitted_model",
    "part_of",
    "options",
)


@dataclass(frozen=True)
class Backend:
    """The declaration in a backend's module.

    Attributes
    ----------
    runs
        The format of models that it runs; models in other formats are converted. Empty: any file is used as it is.
    default_for
        Formats whose models run on it by default.
    deps
        An object with `deps`: its dependencies, as in a component's meta.json.
    also_called
        Other names, in lower case.
    replaces
        Dependencies of CK's programs that select it.
    python_packages
        Distributions that provide the framework; one of them is sufficient.
    submitted_as
        Submitters' names for the framework, in lower case.
    submitted_model
        Tag of the models that match a submission with it.
    part_of
        Backends that it may be a part of: a description with both names refers to this one.
    options
        Its options, by name.
    """

    name: str
    runs: str = ""
    default_for: tuple[str, ...] = ()
    deps: Fields = field(default_factory=lambda: Fields({}, ""))
    also_called: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    python_packages: tuple[str, ...] = ()
    submitted_as: tuple[str, ...] = ()
    submitted_model: str = ""
    part_of: tuple[str, ...] = ()
    options: Mapping[str, BackendOption] = field(default_factory=dict)


def read_backends(folders: Sequence[Path | None]) -> dict[str, Backend]:
    """The backends of the distributions in some folders, by name, in the order of their entry points.

    Raises
    ------
    ConfigError
        If a declaration has an unknown key or a value of the wrong type.
    """
    return {name: _backend(name, fields) for name, fields in declarations(GROUP, CONSTANT, folders).items()}


@cache
def own_backends() -> Mapping[str, Backend]:
    """The backends of the benchmark of this package."""
    return read_backends([own_folder()])


def backend_called(name: str, backends: Iterable[Backend]) -> str:
    """The backend with `name` as another name; `name` itself if there is none."""
    return next((row.name for row in backends if name.lower() in row.also_called), name)


def other_names() -> dict[str, str]:
    """The other names of the benchmark's own backends, and the backends."""
    return {name: row.name for row in own_backends().values() for name in row.also_called}


def default_backend(model_format: str, backends: Iterable[Backend]) -> str:
    """The default backend for models of a format; empty if there is none."""
    return next((row.name for row in backends if model_format in row.default_for), "")


def formats() -> list[str]:
    """The formats of models with a backend, sorted."""
    return sorted({name for row in own_backends().values() for name in row.default_for})


def _backend(name: str, fields: Fields) -> Backend:
    fields.only(*_KEYS)
    fields.each("deps")  # errors name the module
    return Backend(
        name,
        fields.text("runs"),
        fields.texts("default_for"),
        fields,
        fields.texts("also_called"),
        fields.texts("replaces"),
        fields.texts("python_packages"),
        fields.texts("submitted_as"),
        fields.text("submitted_model"),
        fields.texts("part_of"),
        read_options(fields),
    )

"""Backends: which format each framework runs, and what else its module declares about it."""

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
    """What a backend's module declares.

    Attributes
    ----------
    runs
        The format of models that it runs; models in other formats are converted. Empty: a model's file is used as it is.
    default_for
        Formats whose models run on it unless the user says otherwise.
    deps
        An object with `deps`: what has to be installed for it, as in a component's meta.json.
    also_called
        Other names, in lower case.
    replaces
        Dependencies of CK's programs that stand for it.
    python_packages
        Distributions, any one of which provides the framework.
    submitted_as
        What submitters call the framework, in lower case.
    submitted_model
        Tag of the models that match a submission with it.
    part_of
        Backends of which it can be a part: a description that names both means this one.
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
    """The backends that distributions in some folders offer, by name, in the order of their entry points.

    Raises
    ------
    ConfigError
        If a declaration has an unknown key or a value of the wrong type.
    """
    return {name: _backend(name, fields) for name, fields in declarations(GROUP, CONSTANT, folders).items()}


@cache
def own_backends() -> Mapping[str, Backend]:
    """The backends of the benchmark that comes with this package."""
    return read_backends([own_folder()])


def backend_called(name: str, backends: Iterable[Backend]) -> str:
    """The name of the backend that `name` is another name of; `name` itself if there is none."""
    return next((row.name for row in backends if name.lower() in row.also_called), name)


def other_names() -> dict[str, str]:
    """The other names of the benchmark's own backends, and the backends."""
    return {name: row.name for row in own_backends().values() for name in row.also_called}


def default_backend(model_format: str, backends: Iterable[Backend]) -> str:
    """The backend that runs models of a format unless the user says otherwise; empty if there is none."""
    return next((row.name for row in backends if model_format in row.default_for), "")


def formats() -> list[str]:
    """The formats of models for which there is a backend, sorted."""
    return sorted({name for row in own_backends().values() for name in row.default_for})


def _backend(name: str, fields: Fields) -> Backend:
    fields.only(*_KEYS)
    fields.each("deps")  # an error here names the module
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

"""The available backends: those of the program's harness, and those of packages in the venv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ck_repo.errors import ConfigError, UsageError, did_you_mean
from ck_repo.models.backends import GROUP, Backend, backend_called, default_backend
from ck_repo.resolve.component import Component, Dependency, dependencies_of


def backend_dependencies(backend: Backend) -> tuple[Dependency, ...]:
    """The dependencies of a run with the backend."""
    return tuple(replace(row, when={**row.when, "backend": (backend.name,)}) for row in dependencies_of(backend.deps))


def dependencies_with(program: Component, backends: Sequence[Backend]) -> list[Dependency]:
    """The program's dependencies and those of some backends, sorted by key. For equal keys the program's own are used."""
    own = {row.key: row for row in program.deps}
    added = {row.key: row for backend in backends for row in backend_dependencies(backend) if row.key not in own}
    return [both for _, both in sorted({**own, **added}.items())] if added else list(program.deps)


def backend_for(name: str, model: Mapping[str, Any], backends: Mapping[str, Backend]) -> str:
    """The default backend for a model.

    Parameters
    ----------
    name
        Readable name of the model.
    model
        The section `model` of its meta.

    Raises
    ------
    ConfigError
        If no backend runs its format by default; the message has the most similar format.
    """
    format_ = str(model.get("format", ""))
    found = str(model.get("backend") or default_backend(format_, backends.values()))
    if not found:
        known = {each for row in backends.values() for each in row.default_for}
        raise ConfigError(
            f"{name}: no backend runs models of the format {format_!r} by default",
            hint=f"{did_you_mean(format_, known)}\nset model.format of the package, or select a backend with --backend=",
        )
    return found


def check_backend(program: Component, backend: str, backends: Mapping[str, Backend]) -> None:
    """Refuse a backend that neither the program nor a package in the venv has.

    Raises
    ------
    UsageError
        The message lists similar names.
    """
    known = {value for row in program.deps for value in row.when.get("backend", ())} | set(backends)
    if backend not in known:
        raise UsageError(
            f"there is no backend {backend!r} for {program.entry.cid}",
            hint=f"{did_you_mean(backend_called(backend, backends.values()), known)}\n"
            f"Python packages in the venv can add one with an entry point of {GROUP}",
        )

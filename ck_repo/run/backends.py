"""The backends that a run can take: those of the program's harness, and those that packages in the venv add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ck_repo.errors import ConfigError, UsageError, did_you_mean
from ck_repo.models.backends import GROUP, Backend, backend_called, default_backend
from ck_repo.resolve.component import Component, Dependency, dependencies_of


def backend_dependencies(backend: Backend) -> tuple[Dependency, ...]:
    """What has to be installed when a run takes the backend."""
    return tuple(replace(row, when={**row.when, "backend": (backend.name,)}) for row in dependencies_of(backend.deps))


def dependencies_with(program: Component, backends: Sequence[Backend]) -> list[Dependency]:
    """The program's dependencies and those of some backends, sorted by key. The program's own count where keys are equal."""
    own = {row.key: row for row in program.deps}
    added = {row.key: row for backend in backends for row in backend_dependencies(backend) if row.key not in own}
    return [both for _, both in sorted({**own, **added}.items())] if added else list(program.deps)


def backend_for(name: str, model: Mapping[str, Any], backends: Mapping[str, Backend]) -> str:
    """The backend that a model is run on where the user names none.

    Parameters
    ----------
    name
        What people call the model.
    model
        The section `model` of its meta.

    Raises
    ------
    ConfigError
        If its format is one that no backend runs by default; with the nearest format.
    """
    format_ = str(model.get("format", ""))
    found = str(model.get("backend") or default_backend(format_, backends.values()))
    if not found:
        known = {each for row in backends.values() for each in row.default_for}
        raise ConfigError(
            f"{name}: no backend runs models of the format {format_!r} by default",
            hint=f"{did_you_mean(format_, known)}\nmodel.format of the package says the format, and --backend= a backend",
        )
    return found


def check_backend(program: Component, backend: str, backends: Mapping[str, Backend]) -> None:
    """Refuse a backend that neither the program nor a package in the venv has.

    Raises
    ------
    UsageError
        With the nearest names.
    """
    known = {value for row in program.deps for value in row.when.get("backend", ())} | set(backends)
    if backend not in known:
        raise UsageError(
            f"there is no backend {backend!r} for {program.entry.cid}",
            hint=f"{did_you_mean(backend_called(backend, backends.values()), known)}\n"
            f"a Python package in the venv adds one by an entry point of {GROUP}",
        )

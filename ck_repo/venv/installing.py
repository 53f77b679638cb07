"""Install into a venv what its user asks for, so that its lock knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.install.installer import Installer
from ck_repo.lock.collect import locked_components
from ck_repo.resolve.plan import Choice
from ck_repo.store.repositories import Repositories
from ck_repo.venv.environment import Venv
from ck_repo.venv.locking import extend_lock


def install_into(
    repositories: Repositories, venv: Venv | None, choices: Mapping[str, Choice], *, trust: bool = False
) -> dict[str, dict[str, Any]]:
    """Install choices for a venv, or without one; return the env meta of every choice by name.

    The venv's lock takes the Python packages that came, and what is compiled for its Python. A model or a data set is no part
    of a venv until a run uses it there.
    """
    if venv is None:
        return Installer(repositories, None, trust=trust).install(choices)
    before = venv.packages
    own: list[tuple[str, dict[str, Any]]] = []
    try:
        installed = Installer(repositories, venv.python, trust=trust).install(choices)
        own = [(name, meta) for name, meta in installed.items() if meta.get("python_path")]
    finally:  # Python packages come first, and stay when what needs them fails
        extend_lock(repositories, venv, before, locked_components(repositories, own))
    return installed

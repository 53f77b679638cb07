"""Packages of the extras `tune` and `cluster`, imported only when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ck_repo.errors import InstallError


def optional(module: str, extra: str) -> Any:
    """Import a module of an extra.

    Raises
    ------
    InstallError
        If it is not installed; the hint is the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InstallError(
            f"{module.partition('.')[0]} cannot be imported: {error}", hint=f"pip install 'ck-repo[{extra}]'"
        ) from None

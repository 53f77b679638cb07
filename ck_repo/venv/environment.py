"""A venv that exists: where it is, what it was made from, what it holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ck_repo.detect.python_packages import python_packages
from ck_repo.detect.survey import survey
from ck_repo.errors import InstallError, NotFoundError
from ck_repo.resolve.resolver import Surroundings
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.repositories import LOCAL, Repositories
from ck_repo.store.search import load

DEFAULT_NAME = "mlperf-inference"
DEFAULT_TEMPLATE = "mlperf-inference-1.0"


@dataclass(frozen=True)
class Venv:
    """A venv.

    Attributes
    ----------
    name
        Its alias.
    entry
        Its entry of the module venv.
    folder
        The environment itself.
    template
        The template that it was made from.
    version
        Its Python's version, ``3.11.7``.
    """

    name: str
    entry: Entry
    folder: Path
    template: str
    version: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return interpreter_of(self.folder)

    @cached_property
    def packages(self) -> dict[str, str]:
        """Name to version of its Python packages."""
        return python_packages(self.python)

    def check(self) -> None:
        """Refuse a venv whose interpreter is gone."""
        if not self.python.exists():  # false for a link into nothing, too
            target = os.readlink(self.python) if self.python.is_symlink() else str(self.python)
            raise InstallError(
                f"the Python of venv:{self.name} has vanished: {target} is not there",
                hint=f"make it again: `ck create venv:{self.name} --template={self.template} --force`",
            )


def interpreter_of(folder: Path) -> Path:
    """The interpreter of the environment in `folder`."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def chosen_name(name: str = "") -> str:
    """The venv to use: the one that is named, else the active one, else the default."""
    return name or os.environ.get("CK_VENV", "") or DEFAULT_NAME


def read_venv(entry: Entry) -> Venv:
    """The venv of an entry."""
    fields = Fields(entry.meta(), entry.path / META)
    return Venv(entry.alias, entry, entry.path / "venv", fields.text("template"), fields.text("python_version"))


def find_venv(repositories: Repositories, name: str) -> Venv | None:
    """The venv of that name, if it exists."""
    try:
        return read_venv(load(repositories, "venv", name, LOCAL))  # one that was pulled could hold any program
    except NotFoundError:
        return None


def surroundings(repositories: Repositories, venv: Venv | None, python: str = "", scope: str = "") -> Surroundings:
    """What there is for a venv to use.

    Parameters
    ----------
    python
        The version that the venv will have, where there is none yet.
    scope
        ``experiment:UID`` when that experiment is replayed: what came with it counts, too.
    """
    if venv is None:
        return survey(repositories, {}, python, [scope])
    return survey(repositories, venv.packages, venv.version, [scope, f"venv:{venv.name}"])

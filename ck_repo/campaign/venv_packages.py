"""The Python packages of a venv, by which recorded runs are judged: a run counts as long as its venv has the same packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ck_repo.environment.lockfile import Lock
from ck_repo.machine.python_packages import python_packages


@dataclass(frozen=True)
class Packages:
    """The packages of a venv.

    Attributes
    ----------
    python
        Version of the interpreter.
    versions
        Version of each package, by its normalised name.
    """

    python: str
    versions: Mapping[str, str]

    def have_all(self, lock: Lock) -> bool:
        """Whether Python and every package that a run had are there in the same versions."""
        same = all(self.versions.get(name) == row.version for name, row in lock.packages.items())
        return same and lock.interpreter.get("version") == self.python


def packages_in(python: Path, version: str) -> Packages:
    """The packages of a venv of this machine, by its interpreter and the version of it."""
    return Packages(version, python_packages(python))


def packages_of(lock: Lock) -> Packages:
    """The packages that a run had."""
    return Packages(lock.interpreter.get("version", ""), {name: row.version for name, row in lock.packages.items()})

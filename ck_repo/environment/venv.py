"""An existing venv: its folder, origin and content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ck_repo.errors import CKError, InstallError, NotFoundError
from ck_repo.machine.interpreter import ask
from ck_repo.machine.python_packages import half_removed, python_packages, site_packages
from ck_repo.machine.survey import survey
from ck_repo.resolve.context import Context
from ck_repo.session import Session
from ck_repo.stock.venv import is_stock_venv, python_version
from ck_repo.store.entry import META, Entry, read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import LOCAL
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
        The folder of the environment.
    template
        The template that it was created from.
    version
        The version of its Python, ``3.11.7``.
    of_stock_ck
        Whether stock CK made it: the entry itself is the environment, without a template or a lock.
    """

    name: str
    entry: Entry
    folder: Path
    template: str
    version: str
    of_stock_ck: bool = False

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return interpreter_of(self.folder)

    @cached_property
    def packages(self) -> dict[str, str]:
        """Name to version of its Python packages."""
        return python_packages(self.python)

    def check(self) -> None:
        """Refuse a venv that would not run its own Python: its interpreter is missing, or it was moved or damaged.

        The interpreter reports its prefix, because a venv without its own files silently runs the Python that it was created
        from.

        Raises
        ------
        InstallError
            If it is broken; the message says how.
        """
        if why := self._broken():
            raise InstallError(why, hint=self.how_to_make_again())

    def check_packages(self) -> None:
        """Refuse a venv that lists packages whose code is missing.

        Raises
        ------
        InstallError
            If there are any; the message lists them.
        """
        if gone := half_removed(self.python):
            first = next(iter(gone))
            more = f" and {len(gone) - 1} more packages" if len(gone) > 1 else ""
            raise InstallError(
                f"venv:{self.name} is damaged: it lists {first}{more} as installed, but {gone[first]} does not exist",
                hint=f"`ck check venv:{self.name}` lists what is missing; create it again: {self._make_again()}",
            )

    def how_to_make_again(self) -> str:
        """The hint for a broken venv."""
        return f"create it again: {self._make_again()}"

    def _make_again(self) -> str:
        """The command that creates it again."""
        lock = self.entry.path / "lock.json"
        made_from = f" --template={self.template}" if self.template not in ("", "lock") else ""
        made_from = made_from or (f" --lock={lock}" if lock.exists() else "")
        return f"`ck create venv:{self.name}{made_from} --force`"

    def _broken(self) -> str:
        """What is wrong with it; empty if nothing is."""
        if not self.python.exists():  # also false for a broken link
            target = os.readlink(self.python) if self.python.is_symlink() else str(self.python)
            return f"the Python of venv:{self.name} is missing: {target} does not exist"
        if self.folder.is_symlink():
            return f"venv:{self.name} was replaced by a link to {os.readlink(self.folder)}; a venv cannot be moved"
        made_in = str("" if self.of_stock_ck else self.entry.meta().get("path") or "") or str(self.folder)
        if os.path.realpath(made_in) != os.path.realpath(self.folder):
            return f"venv:{self.name} was created in {made_in} and is in {self.folder} now; a venv cannot be moved"
        for path in (self.folder / "pyvenv.cfg", self.python.with_name("activate")):
            if not path.is_file():
                return f"venv:{self.name} is damaged: {path} does not exist"
        if site_packages(self.python) is None:
            return f"venv:{self.name} is damaged: it has no folder site-packages"
        found = ask(self.python, site=True)
        if found is None:
            return f"the Python of venv:{self.name} does not start: {self.python}"
        if os.path.realpath(found.prefix) != os.path.realpath(self.folder):
            return f"venv:{self.name} is damaged: {self.python} runs the packages of {found.prefix}"
        return self._other_version(found.version)

    def other_python(self) -> str:
        """A message if its interpreter was replaced by one of another minor version; otherwise empty."""
        found = ask(self.python, site=True) if self.python.exists() else None
        own = found is not None and os.path.realpath(found.prefix) == os.path.realpath(self.folder)
        return self._other_version(found.version) if found and own else ""

    def _other_version(self, version: str) -> str:
        if not self.version or version.split(".")[:2] == self.version.split(".")[:2]:
            return ""
        return f"venv:{self.name} was created with Python {self.version}, and its Python is {version} now"

    @property
    def origin(self) -> str:
        """Its origin: its template, or stock CK."""
        return "stock CK" if self.of_stock_ck else self.template


def interpreter_of(folder: Path) -> Path:
    """The interpreter of the environment in `folder`."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def chosen_name(name: str = "") -> str:
    """The venv to use: the given one, else the active one, else the default."""
    active = os.environ.get("CK_VENV", "")
    if os.path.isabs(active):  # stock CK activates with a path, and with a CK_REPOS inside the venv
        active = ""
    return name or active or default_name()


def default_name() -> str:
    """The name of the default venv; a different one if stock CK has a venv of that name."""
    meta = repos_root() / LOCAL / "venv" / DEFAULT_NAME / META
    try:
        taken = meta.is_file() and is_stock_venv(read_json_object(meta))
    except CKError:
        taken = False
    return f"{DEFAULT_NAME}-ck" if taken else DEFAULT_NAME


def read_venv(entry: Entry) -> Venv:
    """The venv of an entry."""
    meta = entry.meta()
    if is_stock_venv(meta):
        return Venv(entry.alias, entry, entry.path, "", python_version(entry.path), of_stock_ck=True)
    fields = Fields(meta, entry.path / META)
    return Venv(entry.alias, entry, entry.path / "venv", fields.text("template"), fields.text("python_version"))


def find_venv(session: Session, name: str) -> Venv | None:
    """The venv of that name, if it exists."""
    try:
        return read_venv(load(session.repositories, "venv", name, LOCAL))  # a pulled one could contain any program
    except NotFoundError:
        return None


def read_context(session: Session, venv: Venv | None, python: str = "", scope: str = "") -> Context:
    """The components that are available to a venv.

    Parameters
    ----------
    python
        The version of a venv that does not exist yet.
    scope
        ``experiment:UID`` for a replay of that experiment: components that came with it are available, too.
    """
    if venv is None:
        return survey(session, {}, python, [scope])
    return survey(session, venv.packages, venv.version, [scope, f"venv:{venv.name}"])

"""Install components for a venv and update its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ck_repo.environment.collect import locked_components
from ck_repo.environment.locking import extend_lock
from ck_repo.environment.venv import Venv
from ck_repo.errors import ConflictError
from ck_repo.install.installer import Installer, InstallOptions
from ck_repo.resolve.plan import Choice, InstalledPackage, PythonPackage, RegisteredFile
from ck_repo.session import Session
from ck_repo.store.installed import Installed


def install_into(
    session: Session,
    venv: Venv | None,
    choices: Mapping[str, Choice],
    *,
    again: bool = False,
    refetch: bool = False,
    place: Path | None = None,
    parts: Sequence[Path] = (),
) -> dict[str, Installed]:
    """Install choices for a venv, or without one; return the result of each, by name.

    The venv's lock gets the new Python packages, and what was compiled for its Python. Models and data sets only become part of
    a venv when a run uses them there.

    Parameters
    ----------
    again, refetch
        Install existing choices again, and download them again, too.
    place
        The folder for a single choice.
    parts
        Folders with the parts of a single choice that other machines have made.

    Raises
    ------
    ConflictError
        If a choice cannot be installed again, or not into a folder.
    """
    keys = [choice.key for choice in choices.values()]
    for choice in choices.values():
        _check(choice, again, place)
    options = InstallOptions(
        dict.fromkeys(keys, place) if place else {}, keys if again else [], refetch,
        dict.fromkeys(keys, parts) if parts else {},
    )  # fmt: skip
    installer = Installer(session, venv.python if venv else None, options=options)
    if venv is None:
        return installer.install(choices)
    before = venv.packages
    own: list[tuple[str, Installed]] = []
    try:
        installed = installer.install(choices)
        own = [(name, env) for name, env in installed.items() if env.python_path]
    finally:  # Python packages are installed first, and kept if their dependents fail
        extend_lock(session, venv, before, locked_components(session, own))
    return installed


def _check(choice: Choice, again: bool, place: Path | None) -> None:
    """Refuse options that are not possible for a choice."""
    if again and isinstance(choice, RegisteredFile):
        raise ConflictError(
            f"{choice.name} is registered, and no package installs it",
            hint=f"`ck rm env:{choice.env.uid}` removes the registration; then a package is used",
        )
    if place and isinstance(choice, PythonPackage):
        raise ConflictError(f"{choice.name} is installed into a venv, not a folder", hint="choose the venv with --venv=NAME")
    if place and isinstance(choice, RegisteredFile | InstalledPackage):
        raise ConflictError(
            f"{choice.name} is already installed in {choice.env.path}",
            hint=f"`ck rm env:{choice.env.uid}` removes it; then --install_path= can choose the folder",
        )

"""What may run. Every layer asks this module; docs/security.md lists the guarantees.

External content (another repository, an archive, a bundle, a lock, an experiment, a submission tree) is data: none of
it runs without ``--trust``. Trusted are the components of this package, and the locks that this machine wrote.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ck_repo.errors import UntrustedError
from ck_repo.store.digest import of_file
from ck_repo.store.folders import is_ours, is_users, repos_root


def may_run(entry: Path, trusted: bool) -> bool:
    """Whether programs of the entry in the folder `entry` may run: ours always, those of other repositories with
    ``--trust``."""
    return trusted or is_ours(entry)


def require_code(entry: Path, what: str, trusted: bool, *, instead: str = "") -> None:
    """Refuse code of another repository.

    Parameters
    ----------
    what
        The code, for the message: "program", "script build.py".
    instead
        A component of ours that does the same, if any.

    Raises
    ------
    UntrustedError
        If it belongs to another repository and ``--trust`` was not given.
    """
    if not may_run(entry, trusted):
        hint = "read it, then allow it with --trust"
        raise UntrustedError(
            f"refused to run code of another repository: {what} of {entry}",
            hint=f"{hint}; ours is {instead}" if instead else hint,
        )


def require_local_file(entry: Path, url: str, path: Path | None, trusted: bool) -> None:
    """Refuse a local URL in a recipe of another repository, unless it refers to a file of that repository.

    Our own recipes, and the user's in `local`, may refer to any file.

    Parameters
    ----------
    entry
        Folder of the recipe's entry.
    path
        The file; None if git would have to run to read it.

    Raises
    ------
    UntrustedError
        If it refers to another place and ``--trust`` was not given.
    """
    if may_run(entry, trusted) or is_users(entry):
        return
    try:
        if path is not None and path.resolve().is_relative_to(entry.parents[1].resolve()):
            return
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
        pass
    what = "a git repository of this machine" if path is None else "a file outside that repository"
    raise UntrustedError(
        f"refused to read {url!r}: the recipe {entry} of another repository requests {what}",
        hint="to allow it, use --trust",
    )


def require_data(kind: str, label: str, data_kinds: Collection[str]) -> None:
    """Refuse to register files from an archive that would be run: archives may only contain models and data sets.

    Parameters
    ----------
    kind
        What the soft entry detects.
    data_kinds
        The kinds whose files are read and never run.

    Raises
    ------
    UntrustedError
        If files of that kind are run.
    """
    if kind not in data_kinds:
        raise UntrustedError(
            f"refused to register {label} from an archive: files of the kind {kind} are run, and archives may only hold models "
            "and data sets",
            hint="if you need it, install it yourself and register it with `ck detect`",
        )


def note_own_lock(path: Path) -> None:
    """Record that this machine wrote the lock file at `path`."""
    ledger = _ledger()
    ledger.mkdir(parents=True, exist_ok=True)
    (ledger / of_file(path)).touch()


def is_own_lock(path: Path) -> bool:
    """Whether this machine wrote the lock file at `path` with exactly this content."""
    return path.is_file() and (_ledger() / of_file(path)).exists()


def packages_to_ask_for(locked: Collection[str], needed: Collection[str], trusted: bool) -> list[str]:
    """The Python packages of a lock that need the user's consent: those that no component of ours needs.

    Parameters
    ----------
    locked
        Normalised names of the lock's packages.
    needed
        Names that the template and the recipes need, including their dependencies.
    """
    return [] if trusted else sorted(set(locked) - set(needed))


def _ledger() -> Path:
    return repos_root() / ".index" / "own-locks"

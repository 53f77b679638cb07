"""Install Python packages from a lock: the same versions, and the same content where the same wheel matches."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from ck_repo import progress
from ck_repo.environment.lockfile import LockedPackage
from ck_repo.errors import InstallError, MismatchError, OfflineError
from ck_repo.install.python_packages import install_python_packages, obtainable
from ck_repo.machine.python_packages import installed_packages

_YANKED = re.compile(
    r"`(?P<uv>[^=`]+)==[^`]+` is yanked(?: \(reason: \"(?P<why>[^\"]*)\"\))?"
    r"|yanked version: '(?P<pip>[^']+)' candidate.*?Reason for being yanked: (?P<reason>[^\n]*)",
    re.S,
)


def install_locked_packages(
    python: Path,
    packages: Mapping[str, LockedPackage],
    log: Path,
    *,
    same_python: bool,
    links: Path | None = None,
    build: bool = False,
    roots: Collection[str] | None = None,
) -> dict[str, str]:
    """Install the packages of a lock into the venv of an interpreter.

    Parameters
    ----------
    same_python
        Whether the interpreter has the lock's minor version: the lock is then complete, and nothing else is installed.
    links
        A folder of wheels; if given, only these are used.
    build
        Whether source distributions may be built, which runs their code: locks may be untrusted.
    roots
        Only install these, as far as the lock has them, with their dependencies; None for every package of the lock.

    Returns
    -------
    dict
        Why a package differs from the lock, by name.

    Raises
    ------
    InstallError
        If no version of a package is available.
    MismatchError
        If a package has the locked version and platform, but other content.
    """
    if not packages:
        return {}
    pins = {name: f"{name}=={row.version}" for name, row in packages.items()}
    reasons: dict[str, str] = {}
    begin = log.stat().st_size if log.exists() else 0

    def install(deps: bool) -> None:
        if roots is None:
            install_python_packages(python, sorted(pins.values()), log, links=links, deps=deps, build=build)
            return
        wanted = sorted(pin for name, pin in pins.items() if name in roots)
        if wanted:
            install_python_packages(python, wanted, log, links=links, build=build, constraints=sorted(pins.values()))

    try:
        install(deps=not same_python)
    except OfflineError:
        raise
    except InstallError as error:
        if links:
            error.hint = "the bundle has no wheel of it for this Python: use `--python=` with the version of the bundle"
            raise
        reasons = _relax(python, packages, pins)
        if not reasons:
            raise
        install(deps=True)
    return _withdrawn(log, begin) | reasons | _verify(python, packages, sorted(reasons))


def _withdrawn(log: Path, begin: int) -> dict[str, str]:
    """Packages that were installed although their publisher withdrew them, from the log of uv or pip."""
    with open(log, "rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace")
    return {
        (
            match["uv"] or match["pip"]
        ): f"withdrawn by its publisher (yanked): {match['why'] or match['reason'] or 'no reason given'}"
        for match in _YANKED.finditer(text)
    }


def _relax(python: Path, packages: Mapping[str, LockedPackage], pins: dict[str, str]) -> dict[str, str]:
    """Remove the pins that cannot be met from `pins`, and report why."""
    reasons = {}
    with progress.task("searching for packages that are not available", len(pins), "packages") as task:
        for number, (name, row) in enumerate(packages.items(), 1):
            task.advance_to(number)
            if obtainable(python, pins[name]):
                continue
            public = str(Version(row.version).public)
            if public != row.version and obtainable(python, f"{name}=={public}"):
                pins[name], reasons[name] = f"{name}=={public}", f"{row.version} is not on the index, {public} is"
            else:
                pins[name], reasons[name] = name, f"{row.version} is not available for this Python: withdrawn, or no wheel"
    return reasons


def _verify(python: Path, packages: Mapping[str, LockedPackage], relaxed: Sequence[str]) -> dict[str, str]:
    here = installed_packages(python)
    reasons = {}
    for name, row in packages.items():
        now = here.get(name)
        if now is None or name in relaxed or not row.content or now.content == row.content:
            continue
        if now.tags == row.tags and now.version == row.version and "-linux_" not in now.tags:
            raise MismatchError(
                f"{name} {row.version} differs from the lock: content {row.content[:16]}… expected, got {now.content[:16]}…, "
                f"from a wheel for the same {now.tags}",
                hint="releases never change: check the source of your index before using it",
            )
        reasons[name] = f"another wheel of the same version: {now.tags or 'built here'} instead of {row.tags or 'built there'}"
    return reasons

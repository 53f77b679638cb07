"""Python packages into a venv: by uv, and where uv cannot, by pip."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ck_repo import progress
from ck_repo.child import background, capture, ended_within, last_lines
from ck_repo.child_environment import child_environment
from ck_repo.errors import InstallError
from ck_repo.install.pip_settings import pip_environment, pip_settings, uv_environment
from ck_repo.machine.python_packages import python_packages
from ck_repo.network import is_offline, refuse_offline
from ck_repo.store.lock import locked

_QUIETLY = ("--quiet", "--no-input", "--disable-pip-version-check")
_EVERY = 0.5  # s between two looks at an installer


def install_python_packages(
    python: Path,
    requirements: Sequence[str],
    log: Path,
    *,
    links: Path | None = None,
    deps: bool = True,
    build: bool = True,
    constraints: Sequence[str] = (),
    again: Sequence[str] = (),
    refetch: bool = False,
) -> str:
    """Install requirements into the venv of the interpreter `python`, all in one go.

    Parameters
    ----------
    log
        What the installers print is added to it.
    links
        A folder of wheels: only these are used then, and no network.
    deps
        Whether what they need in turn is installed as well.
    build
        Whether what comes as source may be built, which runs its code.
    constraints
        Requirements that hold for what they need in turn, without being asked for themselves.
    again
        Names of packages that are installed anew if they are there.
    refetch
        Whether these are fetched again, too.

    Returns
    -------
    str
        ``uv`` or ``pip``: what did it.
    """
    title = f"installing {_some(requirements)}"
    absent: list[str] = []
    common = [*(["--no-index", "--find-links", str(links)] if links else []), *([] if deps else ["--no-deps"])]
    with locked(log.with_name("install.lock"), title), progress.task(title) as task:
        log.parent.mkdir(parents=True, exist_ok=True)
        if constraints:
            bounds = log.with_name("ck-constraints.txt")
            bounds.write_text("".join(f"{row}\n" for row in constraints), encoding="utf-8")
            common += ["--constraint", str(bounds)]
        with open(log, "a", encoding="utf-8") as sink:
            if uv := _uv():
                words = [*_offline(links), *_uv_options(build, again, refetch), *common, *requirements]
                command = [uv, "pip", "install", "--python", str(python), *words]
                if not _run(command, _for_uv(), sink, task) and not (absent := missing(python, requirements)):
                    return "uv"
            if not is_offline():
                sink.write("uv could not; trying pip\n")
                command = [str(python), "-m", "pip", "install", *_QUIETLY, *_pip_options(build, again, refetch)]
                ended = _run([*command, *common, *requirements], _for_pip(), sink, task)
                if not ended and not (absent := missing(python, requirements)):
                    return "pip"
    raise _failure(python, requirements, log, links, absent)


def _uv_options(build: bool, again: Sequence[str], refetch: bool) -> list[str]:
    return [
        *([] if build else ["--no-build"]),
        *(word for name in again for word in ("--reinstall-package", name)),
        *(word for name in again if refetch for word in ("--refresh-package", name)),
    ]


def _pip_options(build: bool, again: Sequence[str], refetch: bool) -> list[str]:
    return [
        *([] if build else ["--only-binary=:all:"]),
        *(["--force-reinstall"] if again else []),
        *(["--no-cache-dir"] if again and refetch else []),
    ]


def _failure(python: Path, requirements: Sequence[str], log: Path, links: Path | None, absent: Sequence[str]) -> InstallError:
    """The error for requirements that no installer has installed; `absent` are those that one says it has."""
    if absent:
        return InstallError(
            f"what was installed is not in the venv of {python}: {_some(absent)} is missing",
            tail=last_lines(log), log=log,
            hint="the installer ended without an error; its own settings (uv.toml) may lead it elsewhere",
        )  # fmt: skip
    if links is None:
        refuse_offline(f"what is needed to install {_some(requirements)}")
    return InstallError(
        f"{_some(requirements)} cannot be installed for {python}",
        tail=last_lines(log),
        log=log,
        hint="if a version does not exist for this Python, make the venv with another: `ck create venv:NAME --python=3.11`; "
        "without internet, point pip at your wheels (PIP_FIND_LINKS, PIP_INDEX_URL)",
    )


def missing(python: Path, requirements: Sequence[str]) -> list[str]:
    """Those of some requirements that the venv of an interpreter does not hold, by what is on the disk."""
    have = python_packages(python)
    absent = []
    for text in requirements:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:  # a path or a URL, which has no name to look for
            continue
        version = have.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            absent.append(text)
    return absent


def obtainable(python: Path, requirement: str) -> bool:
    """Whether a requirement alone could be installed from a wheel into the venv of an interpreter; nothing is installed."""
    uv = _uv()
    words = ["--dry-run", "--no-deps", "--no-build", "--python", str(python)]
    command = [uv, "pip", "install", *words, *_offline(None), requirement]
    return bool(uv) and not capture(command, _for_uv()).status


def collect_wheels(python: Path, requirements: Sequence[str], folder: Path, log: Path) -> None:
    """Put the wheels of requirements into a folder, for the Python of a venv; what comes as source is built.

    Raises
    ------
    InstallError
        If one cannot be had.
    """
    refuse_offline(f"the wheels of {_some(requirements)}", "gather a bundle where there is network")
    title = f"gathering {len(requirements)} wheels"
    if not _pip(python, "wheel", ["--no-deps", "--wheel-dir", str(folder), *requirements], log, title):
        raise InstallError(
            f"not every wheel of {python} can be had", tail=last_lines(log),
            hint="the version may be gone from the index: `ck check venv` and `ck create venv` tell which",
        )  # fmt: skip


def collect_wheel_for(python: Path, requirement: str, platforms: Sequence[str], folder: Path, log: Path) -> bool:
    """Put the wheel of one requirement for certain platforms into a folder; False if there is none."""
    wanted = [word for name in platforms for word in ("--platform", name)]
    words = ["--no-deps", "--only-binary=:all:", *wanted, "--dest", str(folder), requirement]
    return _pip(python, "download", words, log, f"gathering {requirement}")


def _pip(python: Path, verb: str, words: Sequence[str], log: Path, title: str) -> bool:
    with progress.task(title) as task, open(log, "a", encoding="utf-8") as sink:
        command = [str(python), "-m", "pip", verb, *_QUIETLY, *words]
        return not _run(command, _for_pip(), sink, task)


def _some(requirements: Sequence[str]) -> str:
    """Requirements for a message: all, or the first few of many."""
    return ", ".join(requirements[:8]) + (f" and {len(requirements) - 8} more" if len(requirements) > 8 else "")


def _offline(links: Path | None) -> list[str]:
    return ["--offline"] if is_offline() or links else []


def _for_pip() -> dict[str, str]:
    return child_environment(pip_environment(pip_settings()))


def _for_uv() -> dict[str, str]:
    return child_environment(uv_environment(pip_settings()))


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or ""


def _run(command: Sequence[str], environment: dict[str, str], sink: IO[str], task: progress.Task) -> int:
    print("$", *command, file=sink, flush=True)
    seconds = 0.0
    with background(command, environment, sink) as process:
        while not ended_within(process, _EVERY):
            seconds += _EVERY
            task.advance_to(seconds)
    return process.returncode

"""Install Python packages into a venv: with uv, and if uv fails, with pip."""

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
_EVERY = 0.5  # s between two checks of an installer


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
    """Install requirements into the venv of the interpreter `python` with one command.

    Parameters
    ----------
    log
        The output of the installers is appended to it.
    links
        A folder of wheels: if given, only these are used, and no network.
    deps
        Whether to install dependencies, too.
    build
        Whether source distributions may be built, which runs their code.
    constraints
        Requirements that constrain dependencies without being installed themselves.
    again
        Names of packages that are installed again if they exist.
    refetch
        Whether these are downloaded again, too.

    Returns
    -------
    str
        The installer that succeeded: ``uv`` or ``pip``.

    Raises
    ------
    CKError
        If both fail, or the venv lacks a requirement afterwards; the message has the cause, and `log` the output.
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
                sink.write("uv failed; trying pip\n")
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
    """The error for requirements that could not be installed; `absent` are those that the installer reported as installed."""
    if absent:
        return InstallError(
            f"installed packages are not in the venv of {python}: {_some(absent)} is missing",
            tail=last_lines(log), log=log,
            hint="the installer reported success; its own settings (uv.toml) may redirect it",
        )  # fmt: skip
    if links is None:
        refuse_offline(f"the Python packages for {_some(requirements)}")
    return InstallError(
        f"{_some(requirements)} cannot be installed for {python}",
        tail=last_lines(log),
        log=log,
        hint="if a version does not exist for this Python, create the venv with another: `ck create venv:NAME --python=3.11`; "
        "without internet access, point pip at your wheels (PIP_FIND_LINKS, PIP_INDEX_URL)",
    )


def missing(python: Path, requirements: Sequence[str]) -> list[str]:
    """The requirements that are not met in the venv of an interpreter, according to the files on disk.

    Parameters
    ----------
    python
        The interpreter of the venv.
    requirements
        As for pip; paths and URLs are skipped.
    """
    have = python_packages(python)
    absent = []
    for text in requirements:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:  # a path or a URL, which has no name to search for
            continue
        version = have.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            absent.append(text)
    return absent


def obtainable(python: Path, requirement: str) -> bool:
    """Whether a single requirement could be installed from a wheel into the venv of an interpreter; nothing is installed.

    Parameters
    ----------
    requirement
        With its version, as in PEP 508. Its dependencies are not considered.

    Returns
    -------
    bool
        Also False if there is no uv, or the network cannot be used.
    """
    uv = _uv()
    words = ["--dry-run", "--no-deps", "--no-build", "--python", str(python)]
    command = [uv, "pip", "install", *words, *_offline(None), requirement]
    return bool(uv) and not capture(command, _for_uv()).status


def collect_wheels(python: Path, requirements: Sequence[str], folder: Path, log: Path) -> None:
    """Collect the wheels of requirements in a folder, for the Python of a venv; source distributions are built.

    Raises
    ------
    InstallError
        If one is not available.
    """
    refuse_offline(f"the wheels of {_some(requirements)}", "create the bundle where there is network access")
    title = f"collecting {len(requirements)} wheels"
    if not _pip(python, "wheel", ["--no-deps", "--wheel-dir", str(folder), *requirements], log, title):
        raise InstallError(
            f"some wheels of {python} are not available", tail=last_lines(log),
            hint="the version may have been removed from the index: `ck check venv` and `ck create venv` report which",
        )  # fmt: skip


def collect_wheel_for(python: Path, requirement: str, platforms: Sequence[str], folder: Path, log: Path) -> bool:
    """Download the wheel of one requirement.

    Parameters
    ----------
    platforms
        Platform tags, such as ``manylinux_2_28_x86_64``.
    folder
        For the wheel.
    log
        The file for pip's output.

    Returns
    -------
    bool
        False if there is no wheel for the platforms.
    """
    wanted = [word for name in platforms for word in ("--platform", name)]
    words = ["--no-deps", "--only-binary=:all:", *wanted, "--dest", str(folder), requirement]
    return _pip(python, "download", words, log, f"collecting {requirement}")


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

"""Python interpreters on the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from ck_repo.child import capture
from ck_repo.child_environment import child_environment
from ck_repo.errors import DetectError
from ck_repo.resolve.versions import range_of

_TIMEOUT = 120  # s; a shim that hangs does not block the search for good, and a slow machine has time to answer
_NAME = re.compile(r"python(3(\.\d+)?)?(\.exe)?")
# like -I, which Python 2 lacks: no environment variables, no packages of the user, no modules of the working directory
_ISOLATED = ("-E", "-s")
_ASK = (
    "import sys; sys.path = [folder for folder in sys.path if folder]; import json, platform; "
    "print(json.dumps({'version': platform.python_version(), 'implementation': platform.python_implementation(), "
    "'machine': platform.machine(), 'path': sys.executable, 'prefix': sys.prefix}))"
)


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter.

    Attributes
    ----------
    version
        ``3.11.7``.
    prefix
        The folder of its environment: that of a venv, if it was started from one.
    """

    path: Path
    version: str
    implementation: str
    machine: str
    prefix: str = field(default="", compare=False)


def ask(path: Path, *, site: bool = False) -> Interpreter | None:
    """Run an interpreter and return its properties; None if it fails.

    Parameters
    ----------
    site
        Start it with the environment's packages, so that the prefix is that of its venv.
    """
    command = [str(path), *_ISOLATED, *([] if site else ["-S"]), "-c", _ASK]
    try:
        row = json.loads(capture(command, child_environment(), timeout=_TIMEOUT).output)
        return Interpreter(
            Path(row["path"] or path), row["version"], row["implementation"], row["machine"], str(row.get("prefix", ""))
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def inspect_interpreter(path: Path) -> Interpreter:
    """The interpreter at `path`; anything else is an error."""
    found = ask(path)
    if found is None:
        raise DetectError(f"{path} is not a working Python interpreter", hint="for example /usr/bin/python3.11")
    return found


def interpreters(registered: Iterable[Path] = ()) -> Iterator[Interpreter]:
    """Every interpreter, without duplicates: registered ones, ours, then those in PATH and in the usual places."""
    seen = set()
    for path in chain(registered, _places()):
        try:
            real = path.resolve()
            if real in seen or not os.access(path, os.X_OK):
                continue
        except OSError:
            continue
        seen.add(real)
        found = ask(path)
        if found and found.path.resolve() not in {p for p in seen if p != real}:
            seen.add(found.path.resolve())
            yield found


def _places() -> Iterator[Path]:
    base = Path(getattr(sys, "_base_executable", sys.executable) or sys.executable)
    yield base
    folders = [Path(row) for row in os.environ.get("PATH", "").split(os.pathsep) if row]
    folders += [Path("/usr/bin"), Path("/usr/local/bin"), Path("/opt/homebrew/bin")]
    for versions in _folders_of_versions():
        if versions.is_dir():
            folders += sorted(row / "bin" for row in versions.iterdir())
    for folder in folders:
        if folder.name == "shims":  # shims start the active version, which is found separately
            continue
        try:
            yield from sorted(row for row in folder.iterdir() if _NAME.fullmatch(row.name))
        except OSError:
            continue


def _folders_of_versions() -> Iterator[Path]:
    """The folders in which version managers have a folder for each Python."""
    home = Path(os.path.expanduser("~"))
    shared = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    yield Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    yield Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or shared / "uv/python")
    yield Path(os.environ.get("MISE_DATA_DIR") or shared / "mise") / "installs/python"
    yield Path(os.environ.get("ASDF_DATA_DIR") or home / ".asdf") / "installs/python"


def find_interpreter(wanted: str, registered: Iterable[Path] = ()) -> Interpreter:
    """The interpreter for ``3.12``, ``3.11.7``, ``>=3.10,<3.13``, a name in PATH or a path; ours for an empty text.

    Raises
    ------
    DetectError
        If there is none; the message lists the available ones.
    """
    if not wanted:
        return inspect_interpreter(Path(getattr(sys, "_base_executable", "") or sys.executable))
    if os.sep in wanted:
        return inspect_interpreter(Path(wanted).expanduser())
    if re.match(r"[A-Za-z]", wanted) and (path := shutil.which(wanted)):
        named = ask(Path(path))
        if named or not re.fullmatch(r"python\d+(\.\d+)?", wanted):
            return named or inspect_interpreter(Path(path))
        # the shim of an inactive version fails, but the version may be found elsewhere
    text = wanted.removeprefix("python")
    specifier = f"=={text}.*" if re.fullmatch(r"\d+(\.\d+)?", text) else f"=={text}" if text[:1].isdigit() else text
    rule = range_of(specifier, f"--python={wanted}")
    found = []
    for row in interpreters(registered):
        if rule.contains(row.version, prereleases=True) and row.implementation == "CPython":
            return row
        found.append(f"{row.version} ({row.path})")
    raise DetectError(
        f"there is no Python {wanted} on this machine",
        hint=f"available: {', '.join(found) or 'none'}; install it, or give its path",
    )

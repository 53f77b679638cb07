"""The Python packages of a venv, read from its metadata folders without starting it."""

from __future__ import annotations

import configparser
import os
import re
from contextlib import suppress
from pathlib import Path

_DIST_INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.dist-info")


def site_packages(python: Path) -> Path | None:
    """The folder of packages of the venv of an interpreter."""
    root = python.parent.parent
    rows = sorted(root.glob("lib/python3*/site-packages")) or sorted(root.glob("Lib/site-packages"))
    return rows[0] if rows else None


def python_packages(python: Path) -> dict[str, str]:
    """Name (normalised as PEP 503 has it) to version of every package that is installed whole."""
    folder = site_packages(python)
    if folder is None:
        return {}
    found = {}
    with os.scandir(folder) as rows:
        for row in rows:
            match = _DIST_INFO.fullmatch(row.name)
            # RECORD is written last: without it the installation was cut short
            if match and os.path.exists(os.path.join(row.path, "RECORD")):
                found[re.sub(r"[-_.]+", "-", match["name"]).lower()] = match["version"]
    return dict(sorted(found.items()))


def entry_points(python: Path, group: str) -> set[str]:
    """Names of the entry points of a group that packages in the venv of an interpreter have."""
    folder = site_packages(python)
    names: set[str] = set()
    for path in folder.glob("*.dist-info/entry_points.txt") if folder else ():
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their capitals
        with suppress(configparser.Error, OSError, UnicodeDecodeError):
            parser.read(path, encoding="utf-8")
            names |= set(parser.options(group)) if parser.has_section(group) else set()
    return names

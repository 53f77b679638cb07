"""The Python packages of a venv, read from its metadata without starting it."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DIST_INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.dist-info")


def site_packages(python: Path) -> Path | None:
    """The site-packages folder of an interpreter's venv."""
    root = python.parent.parent
    rows = sorted(root.glob("lib/python3*/site-packages")) or sorted(root.glob("Lib/site-packages"))
    return rows[0] if rows else None


def python_packages(python: Path) -> dict[str, str]:
    """Name (normalised as in PEP 503) and version of every completely installed package."""
    folder = site_packages(python)
    if folder is None:
        return {}
    found = {}
    with os.scandir(folder) as rows:
        for row in rows:
            match = _DIST_INFO.fullmatch(row.name)
            # RECORD is written last: without it the installation was interrupted
            if match and os.path.exists(os.path.join(row.path, "RECORD")):
                found[normalised(match["name"])] = match["version"]
    return dict(sorted(found.items()))


def normalised(name: str) -> str:
    """The name of a distribution as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _metadata_folders(python: Path) -> Iterator[tuple[Path, str, str]]:
    """The metadata folder, normalised name and version of each package of an interpreter's venv."""
    folder = site_packages(python)
    for info in sorted(folder.glob("*.dist-info")) if folder else ():
        if match := _DIST_INFO.fullmatch(info.name):
            yield info, normalised(match["name"]), match["version"]


@dataclass(frozen=True)
class InstalledPackage:
    """A Python package in a venv.

    Attributes
    ----------
    content
        SHA-256 of the names, digests and sizes of the files that came in its wheel, as its RECORD lists them: the same wheel
        has the same content in every venv, whatever installed it. Files that installers add (compiled files, scripts with the
        venv's path, their own notes) are excluded.
    tags
        The Pythons and platforms of its wheel: ``cp311-cp311-manylinux_2_28_x86_64``.
    """

    name: str
    version: str
    content: str
    tags: str


_OF_INSTALLERS = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"})


def installed_packages(python: Path) -> dict[str, InstalledPackage]:
    """Every package of an interpreter's venv, by its normalised name."""
    found = {}
    for path, name, version in _metadata_folders(python):
        if (path / "RECORD").is_file():
            digest = hashlib.sha256()
            for row in sorted(_wheel_rows(path)):
                digest.update(",".join(row).encode() + b"\n")
            found[name] = InstalledPackage(name, version, digest.hexdigest(), _wheel_tags(path / "WHEEL"))
    return dict(sorted(found.items()))


def _wheel_rows(info: Path) -> Iterator[tuple[str, str, str]]:
    """Name, digest and size of each file in RECORD that was in the wheel; a damaged RECORD is an altered file itself."""
    with open(info / "RECORD", encoding="utf-8", errors="replace", newline="") as file:
        try:
            for row in csv.reader(file):
                name, digest, size = (*row, "", "", "")[:3]
                own = name.startswith(info.name + "/") and name.rpartition("/")[2] in _OF_INSTALLERS
                if (
                    digest
                    and not own
                    and not name.endswith(".pyc")
                    and not name.startswith(("../../../bin/", "../../Scripts/"))
                ):
                    yield name, digest, size
        except csv.Error as error:
            yield f"{info.name}/RECORD", str(error), ""


def _wheel_tags(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return ".".join(sorted(line.removeprefix("Tag:").strip() for line in lines if line.startswith("Tag:")))
    return ""


def altered_files(python: Path, name: str) -> list[str]:
    """Files of a package that are missing, or differ from its RECORD.

    Parameters
    ----------
    python
        The interpreter of the venv.
    name
        The normalized name of the package.

    Returns
    -------
    list of str
        Paths as in RECORD, relative to site-packages. Files without a digest are not compared.
    """
    altered = []
    for info, own, _ in _metadata_folders(python):
        if own == name:
            altered += [row[0] for row in _wheel_rows(info) if _digest(info.parent / row[0]) != row[1]]
    return altered


def half_removed(python: Path) -> dict[str, str]:
    """Packages that are listed as installed but whose code is missing, by name, with the missing part.

    For speed, only the top-level modules in RECORD are checked; `altered_files` reads every file.
    """
    found = {}
    for info, name, _ in _metadata_folders(python):
        if gone := next((module for module in _top_level(info) if not (info.parent / module).exists()), ""):
            found[name] = str(info.parent / gone)
    return found


def _top_level(info: Path) -> list[str]:
    """The modules of a package: files, folders, and the ``__init__.py`` of each folder that has one."""
    found: dict[str, str] = {}
    with suppress(OSError, csv.Error), open(info / "RECORD", encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.reader(file):
            path = row[0] if row else ""
            top, _, below = path.partition("/")
            if top in ("", "..", "__pycache__", info.name) or os.path.isabs(path):
                continue
            if below == "__init__.py":
                found[top] = path
            found.setdefault(top, top)
    return list(found.values())


def _digest(path: Path) -> str:
    """The form in RECORD: SHA-256 in base 64 for URLs, without padding."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()

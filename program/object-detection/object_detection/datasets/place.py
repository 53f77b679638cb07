"""Find the images that annotations refer to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SEPARATOR = re.compile(r"[/\\]+")
_DRIVE = re.compile(r"[A-Za-z]:")


def is_url(name: str) -> bool:
    """Whether a file name is a URL."""
    return _URL.match(name) is not None


def parts(name: str) -> list[str]:
    """The parts of a path from any system, without roots, drives and parent references.

    >>> parts("C:\\\\data\\\\val\\\\1.png"), parts("/data/../1.png")
    (['data', 'val', '1.png'], ['data', '1.png'])
    """
    return [part for part in _SEPARATOR.split(name) if part not in ("", ".", "..") and not _DRIVE.fullmatch(part)]


def below(folder: Path, path: Path, name: str) -> str:
    """The name of an image in a copy of the data set, by which `Folder.find` finds it for `name`."""
    plain = Path(os.path.normpath(path))
    return plain.relative_to(folder).as_posix() if plain.is_relative_to(folder) else "/".join(parts(name))


@dataclass(frozen=True)
class Folder:
    """An image folder.

    Attributes
    ----------
    inside
        Whether to search images below the folder only, as for data sets from other users' experiments.
    """

    path: Path
    inside: bool = False

    def find(self, name: str) -> Path | None:
        """The file of an image; None if there is none.

        A name is tried unchanged, then with backslashes as separators. For a path that does not exist here, or must not be
        used, the file below the folder with the longest common suffix is used.
        """
        below = parts(name)
        if not below or "\0" in name:
            return None
        direct = self.path / name  # an absolute name is unambiguous
        leads_out = os.path.isabs(name) or ".." in _SEPARATOR.split(name)
        if not (self.inside and leads_out) and direct.is_file():
            return direct
        shortest = len(below) if not leads_out and not _DRIVE.match(name) else 1
        for length in range(len(below), shortest - 1, -1):
            path = self.path.joinpath(*below[-length:])
            if path.is_file():
                return path
        return None

"""Find the images that annotations refer to."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SEPARATOR = re.compile(r"[/\\]+")
_DRIVE = re.compile(r"[A-Za-z]:")
_ROOTED = re.compile(r"[/\\]|[A-Za-z]:")  # a path from a root, a drive or a server, of any system


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
    """The name of an image in a copy of the data set, by which `Folder.find` finds it for `name`.

    Parameters
    ----------
    folder
        The image folder of the data set.
    path
        The file of the image.
    name
        The file name in the annotations, which may be a path from another system.

    Returns
    -------
    str
        The path relative to `folder` with slashes; for a file outside of it, the parts of `name` without roots, drives and
        ``..``.
    """
    text, inside = os.path.normpath(path), os.path.join(folder, "")
    if text.startswith(inside):
        return text[len(inside) :].replace(os.sep, "/")
    plain = Path(text)
    return plain.relative_to(folder).as_posix() if plain.is_relative_to(folder) else "/".join(parts(name))


def _key(name: str) -> str:
    """What names have in common that differ in case, in the Unicode form of their letters, or in escapes of URLs."""
    return unicodedata.normalize("NFC", unquote(name).strip()).casefold()


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
    _listed: dict[Path, dict[str, list[str]]] = field(default_factory=dict, repr=False, compare=False)

    def find(self, name: str) -> Path | None:
        """The file of an image; None if there is none.

        A name is taken as it is, then with backslashes as separators. A path to a place that does not exist here, or must
        not be used, stands for the file below the folder that has the longest common end with it. A name that differs from
        that of a single file in case, Unicode form or escapes of URLs stands for that file.
        """
        below = parts(name)
        if not below or "\0" in name:
            return None
        direct = os.path.join(self.path, name)  # an absolute name is unambiguous
        leads_out = os.path.isabs(name) or ".." in _SEPARATOR.split(name)
        if not (self.inside and leads_out) and os.path.isfile(direct):
            return Path(direct)
        shortest = 1 if leads_out or _ROOTED.match(name) else len(below)
        ends = [below[-length:] for length in range(len(below), shortest - 1, -1)]
        for end in ends:
            if _is_file(path := self.path.joinpath(*end)):
                return path
        return next((found for end in ends if (found := self._alike(end))), None)

    def _alike(self, names: list[str]) -> Path | None:
        """The file below the folder whose path is alike; None if there is none, or several."""
        path = self.path
        for name in names:
            if path not in self._listed:
                self._listed[path] = _by_key(path)
            alike = self._listed[path].get(_key(name), [])
            if name not in alike and len(alike) != 1:
                return None
            path /= name if name in alike else alike[0]
        return path if _is_file(path) else None


def _by_key(folder: Path) -> dict[str, list[str]]:
    """The names in a folder."""
    found: dict[str, list[str]] = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in names:
        found.setdefault(_key(name), []).append(name)
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False

"""What a reader of a format is given, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from object_detection.datasets.place import Folder
from object_detection.datasets.truth import Truth

PICTURES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".j2k", ".ppm", ".pgm",
    ".pbm", ".pnm", ".avif",
})  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What a user names.

    Attributes
    ----------
    path
        An image, or a folder.
    annotations
        The annotations, if they are not where the format has them.
    names
        A file with the names of the categories, one a line.
    inside
        See `Folder`.
    """

    path: Path
    annotations: Path | None = None
    names: Path | None = None
    inside: bool = False

    @classmethod
    def parse(cls, given: Mapping[str, Any], base: Path = Path()) -> Request:
        """A request as JSON has it: `path`, and if they are not empty `annotations`, `names` and `inside`."""
        annotations, names = (base / given[key] if given.get(key) else None for key in ("annotations", "names"))
        return cls(base / given["path"], annotations, names, bool(given.get("inside")))


@dataclass(frozen=True)
class Source:
    """What was found.

    Attributes
    ----------
    truth
        The content.
    images
        The folder that the names of images start from.
    annotations
        The file or folder of annotations.
    files
        Every file that was read but images, and the folders that were searched: a file more there may be an image more.
    names
        The file with the names of the categories, if there is one.
    """

    truth: Truth
    images: Folder
    annotations: Path
    files: tuple[Path, ...]
    names: Path | None = None


def pictures(folder: Path, *, deep: bool = True) -> list[Path]:
    """The image files in a folder, sorted by their paths."""
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(path for path in found if path.suffix.lower() in PICTURES and path.is_file())


def folders_of(paths: list[Path]) -> tuple[Path, ...]:
    """The folders that files are in."""
    return tuple(sorted({path.parent for path in paths}))

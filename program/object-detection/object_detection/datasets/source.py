"""The input and the result of the readers."""

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
    """The user's description of a data set.

    Attributes
    ----------
    path
        An image, or a folder.
    annotations
        The annotations, if they are not at the usual place of the format.
    names
        A file with the names of the categories, one in each line.
    inside
        See `Folder`.
    """

    path: Path
    annotations: Path | None = None
    names: Path | None = None
    inside: bool = False

    @classmethod
    def parse(cls, given: Mapping[str, Any], base: Path = Path()) -> Request:
        """A request from JSON: `path`, and optionally `annotations`, `names` and `inside`.

        Parameters
        ----------
        base
            The folder that relative paths refer to.

        Raises
        ------
        KeyError
            If there is no `path`.
        """
        annotations, names = (base / given[key] if given.get(key) else None for key in ("annotations", "names"))
        return cls(base / given["path"], annotations, names, bool(given.get("inside")))


@dataclass(frozen=True)
class Source:
    """A data set that was read.

    Attributes
    ----------
    truth
        The content.
    images
        The folder that the names of images are relative to.
    annotations
        The file or folder of annotations.
    files
        Every file that was read except images, and the folders that were searched, because new files in them may be images.
    names
        The file with the names of the categories, if any.
    """

    truth: Truth
    images: Folder
    annotations: Path
    files: tuple[Path, ...]
    names: Path | None = None


def pictures(folder: Path, *, deep: bool = True) -> list[Path]:
    """The image files in a folder, sorted by their paths.

    Parameters
    ----------
    deep
        Whether to search sub-folders, too.
    """
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(path for path in found if path.suffix.lower() in PICTURES and path.is_file())


def folders_of(paths: list[Path]) -> tuple[Path, ...]:
    """The folders of some files."""
    return tuple(sorted({path.parent for path in paths}))

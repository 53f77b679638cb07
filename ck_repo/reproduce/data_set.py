"""The files of a registered data set: their names in an archive, and how to register them from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from ck_repo.errors import ConfigError
from ck_repo.machine.data_set import Wanted, read_data_set
from ck_repo.store.installed import InstalledDataset

_ANNOTATIONS = "annotations"  # folder of files from outside the image folder


def archived(dataset: InstalledDataset) -> Iterator[tuple[str, Path]]:
    """Names in an archive, and files: every image and annotation file. The check at registration is repeated.

    An image outside the image folder gets a name below it, by which the annotation reader finds it.
    """
    found = read_data_set(Wanted.of(dataset))
    root = Path(found.images)
    seen = set()
    for name, path in zip(found.archived, found.files, strict=True):
        if name not in seen:
            seen.add(name)
            yield f"{root.name}/{name}", Path(path)
    for source in map(Path, found.sources):
        if source.is_file():
            yield _name(source, root, Path(found.annotations)), source


def brought_in(dataset: InstalledDataset, folder: Path) -> tuple[Path, dict[str, str]]:
    """The arguments for registering a data set from a folder with the names of `archived`.

    Returns
    -------
    path, options
        Arguments of `detect`.

    Raises
    ------
    ConfigError
        If a path of the data set leads out of the folder.
    """
    wanted = Wanted.of(dataset)
    root, annotations = PurePosixPath(dataset.images), PurePosixPath(dataset.annotations)
    options = {"inside": "yes"}
    for option, text in (
        ("annotations", wanted.annotations or _found_outside(root, annotations)),
        ("categories", wanted.names),
    ):
        if text:
            options[option] = str(_below(folder, _name(PurePosixPath(text), root, annotations)))
    path = PurePosixPath(wanted.path)
    below = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
    return _below(folder, f"{root.name}/{below}"), options


def _below(folder: Path, name: str) -> Path:
    """A file in a folder with a name from a lock."""
    if ".." in PurePosixPath(name).parts:
        raise ConfigError(f"the lock has the path {name}, which leads out of its data set", hint="the lock was edited")
    return folder / name


def _found_outside(root: PurePath, annotations: PurePath) -> str:
    """Annotations outside the image folder, where they would not be found again."""
    return "" if annotations.is_relative_to(root) else str(annotations)


def _name(path: PurePath, root: PurePath, annotations: PurePath) -> str:
    """The name of an annotation file in an archive."""
    if path.is_relative_to(root):
        return f"{root.name}/{path.relative_to(root).as_posix()}"
    if path.is_relative_to(annotations):  # a folder, or the file itself
        below = path.relative_to(annotations).as_posix()
        return f"{_ANNOTATIONS}/{below}" if below != "." else f"{_ANNOTATIONS}/{path.name}"
    return f"{_ANNOTATIONS}/{path.name}"

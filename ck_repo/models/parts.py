"""The additional files of a model: external data, OpenVINO's weights, a SavedModel's variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ck_repo.errors import DetectError
from ck_repo.models.formats import format_of
from ck_repo.store.digest import of_file, of_value
from ck_repo.store.plain_file import flaw


def parts_of(path: Path, kind: str) -> tuple[str, ...]:
    """Names of a model's additional files, relative to the folder of its main file, sorted.

    Raises
    ------
    DetectError
        If one is missing, truncated or outside the folder; the message names it.
    """
    wanted = format_of(kind).parts(path)
    for name, size in wanted.items():
        _check(path, name, size)
    return tuple(sorted(wanted))


def digest_of_model(path: Path, parts: Sequence[str]) -> str:
    """The digest of a model file and its parts by name; without parts that of the file.

    Parameters
    ----------
    parts
        Names relative to the folder of the file.

    Raises
    ------
    OSError
        If a part is missing.
    """
    own = of_file(path)
    return of_value([own, {name: of_file(path.parent / name) for name in parts}]) if parts else own


def _check(path: Path, name: str, size: int) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name:
        raise DetectError(f"{path} reads weights from {name}, outside its folder", hint="export it again, next to its data")
    part = path.parent / name
    if not part.is_file():
        raise DetectError(f"{path} reads weights from {name}, which does not exist", hint=f"copy {name} into {path.parent}")
    if wrong := flaw(path.parent, name):
        raise DetectError(f"{part} is {wrong}", hint="copy the regular file next to the model")
    if part.stat().st_size < size:
        raise DetectError(
            f"{part} has {part.stat().st_size} bytes, and {path.name} needs {size}: it is truncated", hint="copy it again"
        )

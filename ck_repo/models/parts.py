"""The additional files of a model: external data, OpenVINO's weights, a SavedModel's variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ck_repo.errors import DetectError
from ck_repo.models.external_data import external_data
from ck_repo.models.saved_model_file import has_variables
from ck_repo.store.digest import of_file, of_value
from ck_repo.store.plain_file import flaw, walk

SAVED_MODEL = "saved_model.pb"
_VARIABLES = "variables/variables"
_SHARD = re.compile(rf"{_VARIABLES}\.data-\d{{5}}-of-(?P<count>\d{{5}})")
_MAX_SHARDS = 1000
_FOLDERS = ("variables", "assets", "assets.extra")  # of a SavedModel


def parts_of(path: Path, kind: str) -> tuple[str, ...]:
    """Names of a model's additional files, relative to the folder of its main file, sorted.

    Raises
    ------
    DetectError
        If one is missing, truncated or outside the folder; the message names it.
    """
    if kind == "onnx":
        wanted: Mapping[str, int] = external_data(path)
    elif kind == "openvino":
        wanted = {path.with_suffix(".bin").name: 0}
    elif kind == "tensorflow" and path.name == SAVED_MODEL:
        found = {
            f"{folder}/{row.name}": 0
            for folder in _FOLDERS
            if (path.parent / folder).is_dir()
            for row in walk(path.parent / folder)
        }
        wanted = found | dict.fromkeys(_variables(path, found), 0)
    else:
        wanted = {}
    for name, size in wanted.items():
        _check(path, name, size)
    return tuple(sorted(wanted))


def _variables(path: Path, found: Iterable[str]) -> set[str]:
    """The files that hold the variables of a SavedModel, whether they are there or not; none for one without variables."""
    shards = [match for name in found if (match := _SHARD.fullmatch(name))]
    if not has_variables(path):
        return set()
    counts = {int(match["count"]) for match in shards} or {1}
    names = {
        f"{_VARIABLES}.data-{number:05}-of-{count:05}" for count in counts if count < _MAX_SHARDS for number in range(count)
    }
    return {f"{_VARIABLES}.index", *names}


def installed_parts(path: Path, kind: str) -> tuple[str, ...]:
    """The same for a model from a recipe; for OpenVINO the weights, if any."""
    if not path.is_file() or (kind == "openvino" and not path.with_suffix(".bin").is_file()):
        return ()
    return parts_of(path, kind)


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

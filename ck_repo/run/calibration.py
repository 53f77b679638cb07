"""``--calibration=``: the images that an option of a backend is calibrated with."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from ck_repo.contract.spec import Calibration
from ck_repo.errors import NotFoundError, UsageError
from ck_repo.models.backend_options import BackendOption
from ck_repo.rounds.round import Round
from ck_repo.run.options import RunOptions

DEFAULT = 32  # images of the data set
_MAXIMUM = 10**6
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def needs_calibration(options: RunOptions, declared: Mapping[str, BackendOption]) -> bool:
    """Whether an option of the backend has a value that needs calibration images."""
    chosen = options.backend_options.items()
    return any(value in declared[name].calibrated for name, value in chosen if name in declared)


def read_calibration(text: str) -> Calibration:
    """Read the value of ``--calibration=``: a number, a folder of images, or a file with a name in each line.

    Names are relative to the folder of the file.

    Raises
    ------
    NotFoundError
        If the path, or an image that the file names, does not exist.
    UsageError
        If the number is out of bounds, or there are no images.
    """
    if text.isascii() and text.isdigit():
        if not 0 < int(text) <= _MAXIMUM:
            raise UsageError(f"--calibration={text} is not a number from 1 to {_MAXIMUM}", hint=f"for example {DEFAULT}")
        return Calibration(int(text))
    path = Path(text).expanduser().absolute()
    if path.is_dir():
        files = [each for each in sorted(path.iterdir()) if each.suffix.lower() in _IMAGES]
    elif path.is_file():
        files = [path.parent / name for name in _names(path)]
    else:
        raise NotFoundError(
            f"--calibration={text}: {path} does not exist",
            hint="name a folder of images, a file with their names, or a number of images of the data set",
        )
    if not files:
        raise UsageError(f"--calibration={text} has no images", hint=f"known endings: {', '.join(sorted(_IMAGES))}")
    if missing := [each for each in files if not each.is_file()]:
        raise NotFoundError(
            f"{path} names {missing[0].name}, and {missing[0]} does not exist ({len(missing)} of {len(files)} images do not)",
            hint=f"names are relative to {path.parent}: put the file into the folder of the images",
        )
    return Calibration(files=tuple(files))


def _names(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a list of names: {error}", hint="write one name in each line") from error


def calibration_of(options: RunOptions, declared: Mapping[str, BackendOption], round_: Round) -> Calibration | None:
    """The calibration of a run; None if no option needs one.

    Raises
    ------
    NotFoundError, UsageError
        As for `read_calibration`; also for an official run whose images are not those of the round.
    """
    if not needs_calibration(options, declared):
        return None
    found = read_calibration(options.calibration or f"{DEFAULT}")
    if options.official and names_digest(found.files) != round_.calibration.sha256:
        raise UsageError(
            f"an official run of {round_} is calibrated with the round's images, and this one with "
            f"{f'{len(found.files)} others' if found.files else 'images of its own data set'}",
            hint=f"put {round_.calibration.file} of {round_.calibration.source} into the folder of "
            f"{round_.calibration.images}, and write --calibration=FOLDER/{Path(round_.calibration.file).name}",
        )
    return found


def names_digest(files: tuple[Path, ...]) -> str:
    """SHA-256 of the sorted names, each followed by a line feed."""
    return sha256("".join(f"{name}\n" for name in sorted({each.name for each in files})).encode()).hexdigest()

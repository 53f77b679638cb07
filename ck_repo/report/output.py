"""Files that a report or an export writes where the user says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ck_repo.errors import ConflictError, StorageError, UsageError
from ck_repo.store.atomic import FULL, storage_error
from ck_repo.store.work import writing_file


@contextmanager
def output_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name for a file to be written, which becomes `path` when it is complete; its folder is made.

    Raises
    ------
    ConflictError
        If the file exists and is not to be overwritten.
    StorageError
        If it cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name the file: --output=FILE")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_file(path, overwrite=overwrite) as staging:
            yield staging


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says of a file of the user's into an error that says what to do."""
    try:
        yield
    except FileExistsError:
        raise ConflictError(f"{path} exists", hint="--overwrite replaces it; --output= names another") from None
    except OSError as error:
        if error.errno in FULL and (full := storage_error(error, f"writing {path}")):
            raise full from None
        raise StorageError(f"{path} cannot be written: {error.strerror}", hint="--output= names another place") from None

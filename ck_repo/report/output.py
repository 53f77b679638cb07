"""Output files of reports and exports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ck_repo.errors import ConflictError, StorageError, UsageError
from ck_repo.store.atomic import FULL, storage_error
from ck_repo.store.work import writing_file


@contextmanager
def output_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary name for a file that is renamed to `path` when it is complete; its folder is created.

    Raises
    ------
    ConflictError
        If the file exists and must not be overwritten.
    StorageError
        If it cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="give a file: --output=FILE")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_file(path, overwrite=overwrite) as staging:
            yield staging


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn operating system errors about an output file into errors with a hint."""
    try:
        yield
    except FileExistsError:
        raise ConflictError(f"{path} already exists", hint="use --overwrite, or choose another file with --output=") from None
    except OSError as error:
        if error.errno in FULL and (full := storage_error(error, f"writing {path}")):
            raise full from None
        raise StorageError(f"{path} cannot be written: {error.strerror}", hint="choose another place with --output=") from None

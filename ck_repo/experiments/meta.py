"""The meta.json of an experiment, its types checked when it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ck_repo import progress
from ck_repo.errors import CKError
from ck_repo.experiments.types import check_experiment
from ck_repo.store.entry import META, Entry


def read_experiment(entry: Entry) -> dict[str, Any]:
    """The meta of an experiment.

    Raises
    ------
    ConfigError
        If a value is of another type than it should have; with the file and the key.
    """
    meta = entry.meta()
    check_experiment(meta, entry.path / META)
    return meta


def readable(entries: Iterable[Entry]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Experiments with their metas; one that cannot be read is left out with a warning."""
    for entry in entries:
        try:
            yield entry, read_experiment(entry)
        except (CKError, OSError) as error:
            what = error.what if isinstance(error, CKError) else str(error)
            progress.warn(f"{entry.cid} is left out, as it cannot be read: {what}")

"""Stored runs of an interrupted search for a target, so that the same command continues it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.contract.results import Results
from ck_repo.errors import CKError
from ck_repo.run.options import RunOptions
from ck_repo.store.atomic import write_json
from ck_repo.store.digest import of_value
from ck_repo.store.entry import read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.folders import repos_root

_HOURS = 12  # s after which the machine may have changed, and the search starts again

Run = Callable[[RunOptions], Results]  # runs a benchmark


class SearchMemory:
    """Results of the runs of one search, by their options, stored in a file until the search ends.

    The results alone determine the next run of a search, so with the same results it continues where it stopped.

    Parameters
    ----------
    subject
        Everything that the results depend on in addition to the options of each run: program, packages, venv, bound.
    """

    def __init__(self, subject: Any) -> None:
        self._path = repos_root() / ".searches" / f"{of_value(subject)[:24]}.json"
        self._known = _read(self._path)
        if self._known:
            progress.say(f"continuing the search that was interrupted: {len(self._known)} runs are known")

    def remembered(self, run: Run) -> Run:
        """Like `run`, but earlier runs are not repeated."""

        def once(options: RunOptions) -> Results:
            name = of_value(options.as_data())
            if name not in self._known:
                self._known[name] = run(options)
                write_json(self._path, {"when": time.time(), "runs": {key: write(found) for key, found in self._known.items()}})
            return self._known[name]

        return once

    def forget(self) -> None:
        """Delete the file when the search has ended."""
        self._path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Results]:
    """The results in a file; none if it is missing, too old or damaged."""
    if not path.is_file():
        return {}
    try:
        content = Fields(read_json_object(path), path)
        recent = time.time() - (content.number("when") or 0.0) < 3600 * _HOURS
        return {name: row.record(Results) for name, row in content.each("runs").items()} if recent else {}
    except CKError:
        return {}

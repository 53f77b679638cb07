"""Warnings about a repository's entries: once for each problem, not on each command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha256

from ck_repo import progress
from ck_repo.errors import CKError
from ck_repo.store.atomic import write_json
from ck_repo.store.folders import repos_root


class Problems:
    """Collects problems of entries over all repositories and prints one line for each repository and module."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[str]] = {}

    def add(self, repository: str, module: str, problem: str) -> None:
        """Add a problem."""
        self._rows.setdefault((repository, module), []).append(problem)

    def warn(self) -> None:
        """Print them, except for those printed before."""
        for (repository, module), problems in self._rows.items():
            warn_once(repository, module, problems)


def warn_once(repository: str, module: str, problems: Sequence[str]) -> bool:
    """Warn on stderr about problems of a repository's entries, unless each was reported before.

    Reported problems are stored under CK_REPOS/.index; where that is not writable, they are reported each time.

    Returns
    -------
    bool
        Whether anything was printed.
    """
    if not problems:
        return False
    place = repos_root() / ".index" / "said" / f"{sha256(f'{repository}:{module}'.encode()).hexdigest()[:24]}.json"
    known = _read(place)
    new = {_digest(problem) for problem in problems} - known
    if not new:
        return False
    if len(problems) == 1:
        progress.warn(f"{module} skipped: {problems[0]}")
    else:
        progress.warn(f"{repository}: {len(problems)} {module} entries cannot be used; `ck check repo:{repository}` lists them")
    with suppress(CKError, OSError):  # the store is not writable
        write_json(place, sorted(known | new))
    return True


def _digest(problem: str) -> str:
    return sha256(problem.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _read(place: object) -> set[str]:
    try:
        with open(str(place), encoding="utf-8") as file:
            content: Iterable[object] = json.load(file)
        return {str(each) for each in content} if isinstance(content, list) else set()
    except (OSError, ValueError):
        return set()

"""Pin a replay to the model and data set of the lock, even if others have the requested tags."""

from __future__ import annotations

from ck_repo.environment.collect import entry_of
from ck_repo.environment.lockfile import Lock, LockedComponent
from ck_repo.errors import NotFoundError
from ck_repo.machine.survey import survey
from ck_repo.resolve.plan import SOURCE
from ck_repo.run.prepare import DATASET, WEIGHTS
from ck_repo.session import Session


def pinned(session: Session, lock: Lock, scope: str) -> dict[str, list[str]]:
    """The words that select exactly the model and the data set of a lock, by the program's dependency.

    Parameters
    ----------
    scope
        ``experiment:UID``: components that came with the experiment are included.

    Raises
    ------
    NotFoundError
        If a recipe is missing here.
    """
    by_key = {row.key: row for row in lock.components if row.key}
    found = {}
    for row in lock.components:
        if row.role in (WEIGHTS, DATASET):
            used = row
            while used.source == "conversion" and used.inputs.get(SOURCE) in by_key:  # the run converts it again
                used = by_key[used.inputs[SOURCE]]
            if words := _words(session, used, lock, scope):
                found[row.role] = words
    return found


def _words(session: Session, row: LockedComponent, lock: Lock, scope: str) -> list[str]:
    if row.source == "registered":
        metas = survey(session, scopes=[scope]).registered
        return next(([meta.uid] for meta in metas if meta.digest == row.content and meta.uid), [])
    if row.source != "package" or not row.uid:
        return []
    if entry_of(session, row.module, row.uid) is None:
        origin = lock.repositories.get(row.repository)
        url = origin.url if origin else ""
        brings = f"`ck pull repo:{row.repository} --url={url}` gets it" if url else "its repository has no URL"
        raise NotFoundError(
            f"the recipe of {row.label}, which the experiment used, is not on this machine",
            hint=f"{brings}; or pack it on the other machine: `ck zip experiment:NAME --artifacts=all`",
        )
    return [row.uid, *row.variations]

"""Programs of stock CK: errors with alternatives, because they are not run."""

from __future__ import annotations

from collections.abc import Collection

from ck_repo.errors import RunError
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import default_repository_alias
from ck_repo.store.search import find

# keys of a stock program's meta for its scripts and sources
_SCRIPTS = ("run_cmds", "compile_cmds", "source_files", "run_deps", "_base_entry", "process_in_tmp", "use_compile_script")


def refuse_program(session: Session, entry: Entry, dependencies: Collection[str], needed: Collection[str]) -> None:
    """Refuse a program that the engine cannot run.

    Parameters
    ----------
    dependencies
        Keys of the program's dependencies.
    needed
        Keys that the engine needs.

    Raises
    ------
    RunError
        If one is missing; the hint names a program of ours with a common task, if there is one.
    """
    missing = [key for key in needed if key not in dependencies]
    if not missing:
        return
    ours = _same_task(session, entry)
    other = f"; here, `ck run {ours.cid}` does {' and '.join(_common(entry, ours))}" if ours else ""
    if any(key in entry.meta() for key in _SCRIPTS):
        raise RunError(
            f"{entry.repository}:{entry.cid} is a program for stock CK, which would run scripts of its repository; ck does not",
            hint=f"use stock CK (`pip install ck==2.6.4`, Python 3.11 or older) for it{other}",
        )
    raise RunError(
        f"{entry.repository}:{entry.cid} cannot be run: its meta.json has no dependency {' and no '.join(missing)}",
        hint="`ck load program:object-detection` shows what a program needs" + other,
    )


def _same_task(session: Session, entry: Entry) -> Entry | None:
    programs = find(session.repositories, "program", repository=default_repository_alias())
    found = [row for row in programs if row.path != entry.path and _common(entry, row)]
    return max(found, key=lambda row: len(_common(entry, row)), default=None)


def _common(entry: Entry, ours: Entry) -> list[str]:
    """Common tasks of two programs: tags of ours that the other has, or that its name begins with or contains."""
    words = f"-{entry.alias}-"
    return sorted(tag for tag in ours.tags() if "-" in tag and (tag in entry.tags() or f"-{tag}-" in words))

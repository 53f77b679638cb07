"""Import published submissions: each result of a tree becomes an experiment with its files."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.errors import NotFoundError
from ck_repo.experiments.published import of_result
from ck_repo.experiments.published_figure import Published
from ck_repo.rounds.round import Round
from ck_repo.rounds.submission import Result, find_results, read_result, run_folders
from ck_repo.session import Session
from ck_repo.store.digest import of_value
from ck_repo.store.entry import Entry, read_uid, write_entry
from ck_repo.store.modules import module_uid
from ck_repo.store.plain_file import UnreadableError, flaw, is_folder, opened, shown, walk_opened
from ck_repo.store.repository import Repository
from ck_repo.store.uid import uid_from_digest
from ck_repo.store.writing import module_folder, publish, staged

MODULE = "experiment"
_MAXIMUM = 64 << 20  # maximum bytes of a copied file: truncated logs have about 10 kB


def import_submission(
    session: Session, round_: Round, path: Path, repository: str = ""
) -> list[tuple[Entry, Published, list[str]]]:
    """Import every result of a tree of a round; results that were imported before are replaced.

    Returns
    -------
    list
        The entry, the metrics and remarks of each result.
    """
    target = session.repositories.writable(repository)
    places = find_results(path)
    done = []
    with progress.task("importing results", total=len(places), unit="results") as task:
        for number, place in enumerate(places, 1):
            done.append(_import(target, read_result(round_, place)))
            task.advance_to(number)
    return done


def _import(target: Repository, found: Result) -> tuple[Entry, Published, list[str]]:
    identity = found.place.identity()
    uid = uid_from_digest(of_value(["submission", found.round.name, identity]))
    alias = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(identity.values())).strip("-.")[:200]
    folder = module_folder(target, MODULE) / alias
    if folder.exists() and read_uid(folder) != uid:  # another result whose names give the same alias, or an entry of the user
        folder = folder.with_name(f"{alias}-{uid[:8]}")
    remarks = list(found.remarks)
    with staged(folder) as staging:
        for kind, source in _folders(found):
            remarks += _copy(source, staging / kind, found.place.root)
        with suppress(UnreadableError), opened(found.place.root, found.place.system_file, maximum=_MAXIMUM) as file:
            (staging / "system.json").write_bytes(file.read(_MAXIMUM))
        published = of_result(found, str(folder))
        write_entry(
            staging, uid, _meta(found, published, remarks), module=MODULE, module_uid=module_uid(MODULE), name=folder.name
        )
        entry = publish(target, MODULE, staging, folder, uid, replace=True)
    return entry, published, remarks


def _folders(found: Result) -> Iterator[tuple[str, Path]]:
    place = found.place
    runs = run_folders(place, found.round.find_scenario(place.scenario), found.round)
    yield "performance", runs[-1] if runs else place.performance
    yield from ((f"performance-{run.name}", run) for run in runs[:-1])
    yield "accuracy", place.accuracy
    yield "measurements", place.measurements
    yield "compliance", place.compliance


def _copy(source: Path, target: Path, root: Path) -> list[str]:
    """Copy the regular files of a folder of a tree; return what was skipped."""
    if flaw(root, source, links=False) == "a link, or behind one":
        where = "is a link" if is_folder(root, source) else "leads out of the tree"
        return [f"{shown(source)} {where}, and was skipped"]
    left, made = [], ""
    for row, file in walk_opened(root, source, maximum=_MAXIMUM):
        if file is None:
            left.append(f"{shown(source / row.name)} is {row.flaw}, and was skipped")
            continue
        to = os.path.join(target, row.name)
        if (folder := os.path.dirname(to)) != made:
            os.makedirs(folder, exist_ok=True)
            made = folder
        with open(to, "wb") as copy:
            shutil.copyfileobj(file, copy)
    return left


def _meta(found: Result, published: Published, remarks: list[str]) -> dict[str, object]:
    place = found.place
    tags = {
        "experiment",
        "submission",
        "mlperf",
        found.round.name,
        "object-detection",
        place.scenario.lower(),
        *place.identity().values(),
    }
    return {
        "tags": sorted(tag.replace(" ", "-").replace(",", "-") for tag in tags),
        "published": {key: value for key, value in write(published).items() if key != "path"},
        "system": found.description,
        "settings": found.settings,
        "figures": found.figures,
        "summary": found.summary,
        "measurements": found.measurement,
        "user_conf": found.user_conf,
        "compliance": found.compliance,
        "remarks": remarks,
        "recorded": str(found.settings.get("test_datetime", "")),
        "source": str(place.results),
    }


def chosen_results(round_: Round, path: Path, system: str, model: str, scenario: str) -> list[Result]:
    """The results of a tree that match the names; an empty name matches any.

    Raises
    ------
    NotFoundError
        If none matches; the message lists the results.
    """
    places = find_results(path)
    fitting = [
        row
        for row in places
        if (not system or row.system == system)
        and (not model or round_.same_model(row.model, model))
        and (not scenario or row.scenario.lower() == scenario.lower())
    ]
    if not fitting:
        asked = f"--system={system} --model={model} --scenario={scenario}"
        listed = "\n".join(f"  {row}" for row in places[:20])
        raise NotFoundError(f"no result of {path} matches {asked}", hint=f"it has\n{listed}")
    return [read_result(round_, row) for row in fitting]

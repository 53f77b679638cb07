"""Published results from a table or a submission tree, stored as entries of the module `result`."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.errors import CKError, ConfigError, NotFoundError
from ck_repo.experiments.published_figure import Published
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.round import Round, find_round
from ck_repo.rounds.submission import Result, find_results, read_result
from ck_repo.session import Session
from ck_repo.store.digest import of_value
from ck_repo.store.entry import META, Entry, tags_of
from ck_repo.store.fields import Fields
from ck_repo.store.repositories import LOCAL
from ck_repo.store.search import find
from ck_repo.store.uid import uid_from_digest
from ck_repo.store.writing import create_entry

MODULE, IMPORTED = "result", "experiment"
_NEEDED = ("division", "organisation", "system", "model", "scenario", "result_raw", "validity")


def of_result(found: Result, path: str = "") -> Published:
    """Convert a result of a tree."""
    about = {key: str(value) for key, value in found.description.items()}
    return Published(
        **found.place.identity(), value=found.value, unit=found.unit, valid=found.valid, mAP=found.mAP, p99_ms=found.p99_ms,
        processor=about.get("host_processor_model_name", ""), accelerator=about.get("accelerator_model_name", ""),
        framework=about.get("framework", ""), system_type=about.get("system_type", ""), path=path or str(found.place.results),
        round=found.round.name, inferred=found.inferred,
        processors=leading_number(about.get("host_processors_per_node", "")),
        cores=leading_number(about.get("host_processor_core_count", "")),
        accelerators=leading_number(about.get("accelerators_per_node", "")),
    )  # fmt: skip


def leading_number(text: str) -> float | None:
    """The number at the beginning of a text; None if there is none."""
    match = re.match(r"\s*(\d{1,6}(?:\.\d{1,6})?)", text)
    return float(match[1]) if match else None


def read_table(round_: Round, path: Path) -> list[Published]:
    """Read a table of published results of a round, one in each line.

    The columns `division, organisation, system, model, scenario, result_raw, validity` are required; `mAP`, `host_processor`,
    `accelerator`, `framework`, `system_type` and `p99_latency_ns` are optional. `result_raw` is in ns for
    SingleStream.

    Raises
    ------
    ConfigError
        If columns are missing or a number is invalid; with the line.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    try:
        missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise ConfigError(f"{path} is not a table of results: no column {missing[0]}", hint=f"needed: {', '.join(_NEEDED)}")
        return [_of_row(round_, row, f"{path}:{reader.line_num}") for row in reader]
    except csv.Error as error:
        raise ConfigError(f"{path}:{reader.line_num or 1} is not CSV: {error}") from None


def _of_row(round_: Round, row: dict[str, str | None], where: str) -> Published:
    text = {key: (value or "").strip() for key, value in row.items() if key and not isinstance(value, list)}
    scenario = round_.find_scenario(text["scenario"])
    if scenario is None:
        raise ConfigError(f"{where}: {text['scenario']!r} is not a scenario of round {round_}", hint="fix the table")
    value = _number(text, "result_raw", where)
    latency = _number(text, "p99_latency_ns", where)
    return Published(
        division=text["division"], submitter=text["organisation"], system=text["system"], model=text["model"],
        scenario=scenario.name, value=None if value is None else round(value / scenario.divisor, 9), unit=scenario.unit,
        valid=text["validity"].upper() == "VALID", mAP=_number(text, "mAP", where),
        p99_ms=None if latency is None else latency / 1e6, processor=text.get("host_processor", ""),
        accelerator=text.get("accelerator", ""), framework=text.get("framework", ""), system_type=text.get("system_type", ""),
        round=round_.name, processors=leading_number(text.get("host_processors_per_node", "")),
        accelerators=leading_number(text.get("accelerators_per_node", "")),
    )  # fmt: skip


def _number(row: dict[str, str], name: str, where: str) -> float | None:
    if not row.get(name):
        return None
    try:
        value = float(row[name])
        if math.isfinite(value):
            return value
    except ValueError:
        pass
    raise ConfigError(f"{where}: {name} is {row[name]!r}, not a finite number", hint="fix the table")


def import_results(session: Session, round_: Round, path: Path) -> tuple[Entry, list[Published]]:
    """Import results of a round from a table or a tree into the local index; importing a table again replaces it.

    Parameters
    ----------
    path
        A table (CSV), or the folder of a submission tree.

    Returns
    -------
    entry, results
        The entry with the results, and the results.

    Raises
    ------
    NotFoundError
        If the path does not exist.
    ConfigError
        If the table is invalid; the message has the line.
    """
    path = path.expanduser().absolute()
    if path.is_dir():
        rows = [of_result(read_result(round_, place)) for place in find_results(path)]
    elif path.is_file():
        rows = read_table(round_, path)
    else:
        raise NotFoundError(f"{path} does not exist", hint="--path= expects a table (CSV) or the folder of a submission tree")
    uid = uid_from_digest(of_value(["published results", str(path)]))
    content = [{key: value for key, value in write(row).items() if key != "path" or value} for row in rows]
    meta = {"tags": ["published", "mlperf", "object-detection", round_.name], "source": str(path), "rows": content}
    return create_entry(session.repositories.writable(), MODULE, uid, meta, uid=uid, name=path.name, replace=True), rows


def all_published(session: Session, repository: str = "") -> list[Published]:
    """Every known published result, without duplicates: imported submissions take precedence over tables.

    Parameters
    ----------
    repository
        Where to search. If empty, tables are those of `local`, and submissions those of every repository.
    """
    tables = find(session.repositories, MODULE, repository=repository or LOCAL)
    rows = {row.identity: row for entry in tables for row in _rows_of(entry)}
    for entry in find(session.repositories, IMPORTED, repository=repository, tags="submission"):
        with _warned(entry):
            fields = Fields(entry.meta(), entry.path / META)
            if "published" in fields:
                found = _read(fields.fields("published"), entry)
                rows[found.identity] = found
    return [rows[key] for key in sorted(rows)]


def unread_results(session: Session, repository: str = "") -> list[tuple[Entry, str]]:
    """Entries of the module `result` without published results, each with a description."""
    found = []
    for entry in find(session.repositories, MODULE, repository=repository):
        with _warned(entry):
            meta = entry.meta()
            if "rows" not in meta:
                found.append((entry, _described(entry, meta)))
    return found


def _described(entry: Entry, meta: Mapping[str, Any]) -> str:
    """Name, tags and files of an entry."""
    files = [path.name for path in sorted(entry.path.iterdir()) if path.is_file() and path.name[0] != "."]
    name = str(entry.info().get("data_name") or "")
    tags = ",".join(tags_of(meta, entry.path / META))
    parts = [part for part in (name if name != entry.alias else "", tags and f"tags {tags}") if part]
    return "; ".join([*parts, f"{len(files)} files" + (f" ({', '.join(files[:3])})" if files else "")])


@contextmanager
def _warned(entry: Entry) -> Iterator[None]:
    """The results of an entry; an unreadable one is skipped with a warning."""
    try:
        yield
    except CKError as error:
        progress.warn(f"{entry.cid} is skipped, because it cannot be read: {error.what}")


def _rows_of(entry: Entry) -> list[Published]:
    found = []
    with _warned(entry):
        for row in Fields(entry.meta(), entry.path / META).rows("rows"):
            found.append(_read(row, entry))
    return found


def _read(row: Fields, entry: Entry) -> Published:
    """A figure of an entry."""
    found = row.record(Published)
    return found if found.path else replace(found, path=str(entry.path))


SORTS = ("round", "value", "system", "submitter", "mAP")


def sort_results(rows: Sequence[Published], by: str) -> list[Published]:
    """Sort results: by value or mAP the best first, within the scenario; by a name alphabetically.

    Parameters
    ----------
    by
        ``value``, ``mAP``, or a text field of `Published`.
    """
    if by == "value":
        return sorted(rows, key=lambda row: (row.scenario, row.unit, _worse(row)))
    if by == "mAP":
        return sorted(rows, key=lambda row: -(row.mAP or 0.0))
    return sorted(rows, key=lambda row: (getattr(row, by).lower(), row.key))


def _worse(row: Published) -> float:
    """A sort key that is larger for worse values."""
    if row.value is None:
        return float("inf")
    round_ = find_round(row.round)
    scenario = round_.find_scenario(row.scenario) if round_ else None
    return row.value if scenario and scenario.lower_is_better else -row.value


def matching(
    rows: Sequence[Published],
    model: str = "",
    scenario: str = "",
    system: str = "",
    submitter: str = "",
    division: str = "",
    round_: str = "",
) -> list[Published]:
    """Filter published results; empty arguments match all.

    Parameters
    ----------
    model
        Any name of the model.
    scenario
        Its name, in any case.
    system, submitter
        A part of the name, in any case.
    division
        ``closed`` or ``open``.
    round_
        The name of the round.
    """
    return [
        row
        for row in rows
        if (not model or _same_model(row, model))
        and (not scenario or row.scenario.lower() == scenario.lower())
        and system.lower() in row.system.lower()
        and submitter.lower() in row.submitter.lower()
        and (not division or row.division == division)
        and (not round_ or row.round == round_)
    ]


def _same_model(row: Published, model: str) -> bool:
    found = find_round(row.round)
    return found.same_model(row.model, model) if found else row.model.lower() == model.lower()

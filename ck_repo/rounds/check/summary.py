"""The results of a tree in order, and in the format of the round's summary.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ck_repo.rounds.check.finding import ACCEPTED, Checked
from ck_repo.rounds.round import Round

ORDERS = ("model", "scenario", "system")


def ordered(rows: Sequence[Checked], by: str) -> list[Checked]:
    """Sort results by one of `ORDERS`, then by the others."""

    def key(row: Checked) -> tuple[str, ...]:
        place = row.place
        values = {"model": row.benchmark, "scenario": place.scenario, "system": f"{place.submitter} {place.system}"}
        return (values[by], *(values[name] for name in ORDERS if name != by))

    return sorted(rows, key=key)


def _notes(about: Mapping[str, Any]) -> str:
    notes = str(about.get("hw_notes", ""))
    return f"{notes}. {about['sw_notes']}" if about.get("sw_notes") else notes


def _complies(row: Checked) -> int:
    return int(not any(each.rule.startswith("compliance") for each in row.findings))


def _power(row: Checked) -> float | int:
    return row.power if row.power and row.power > 0 else 0


# attributes of results by column; other columns are keys of the system's description
_COLUMNS: dict[str, Callable[[Checked], Any]] = {
    "Organization": lambda row: row.place.submitter,
    "Availability": lambda row: str(row.system.get("status", "")).lower(),
    "Division": lambda row: row.place.division,
    "SystemType": lambda row: row.system.get("system_type", ""),
    "SystemName": lambda row: row.system.get("system_name", ""),
    "Platform": lambda row: row.place.system,
    "Model": lambda row: row.place.model,
    "MlperfModel": lambda row: row.round.benchmarks[row.benchmark].summary_name,
    "Scenario": lambda row: row.round.folder_scenario(row.place.scenario),
    "Result": lambda row: row.value,
    "Accuracy": lambda row: row.accuracy or None,
    "Location": lambda row: row.place.results.relative_to(row.place.root),
    "notes": lambda row: _notes(row.system),
    "compilance": _complies,
    "errors": lambda row: 0,
    "version": lambda row: row.round.name,
    "infered": lambda row: int(row.inferred),
    "inferred": lambda row: int(row.inferred),
    "power": _power,
    "has_power": lambda row: _power(row) > 0,
    "Units": lambda row: row.scenario.summary_unit if row.scenario else "",
}


def summary_csv(round_: Round, rows: Sequence[Checked], *, official: bool = False, skip_compliance: bool = False) -> str:
    """The accepted results in the format of the round's summary.csv; results with power get a second line if the round has one.

    Parameters
    ----------
    official
        Use the results that the round's own checker accepts.
    skip_compliance
        Whether compliance was not checked, so that no result of the closed division is compliant.
    """
    columns = round_.submission.summary_columns
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    errors: dict[tuple[str, ...], int] = {}
    for row in rows:
        model = tuple(row.place.identity().values())[:-1]
        errors[model] = errors.get(model, 0) + _errors(row)
        if row.verdict(official) != ACCEPTED:
            continue
        values = {name: _COLUMNS[name](row) if name in _COLUMNS else row.system.get(name, "") for name in columns}
        values["errors"] = errors[model]
        if skip_compliance and not row.open:
            values["compilance"] = 0
        writer.writerow([values[name] for name in columns])
        if _power(row) and "has_power" in columns:
            values |= {"Result": row.power, "Units": row.scenario.power_summary_unit if row.scenario else ""}
            writer.writerow([values[name] for name in columns])
    return text.getvalue()


def _errors(row: Checked) -> int:
    """The official checkers count one error for a measurement's folder, and one for each invalid run."""
    measured = any(
        each.rule.startswith("measurements") or (each.rule in ("files", "code") and _measured(row, each.file))
        for each in row.findings
    )
    runs = {each.file for each in row.findings if each.rule == "run"}
    return int(measured) + len(runs)


def _measured(row: Checked, file: str) -> bool:
    return file.startswith((str(row.place.measurements), str(row.place.submission / "code")))

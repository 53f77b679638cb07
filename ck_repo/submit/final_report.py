"""The results of a tree as a round publishes them: a table for each division and category, and separate ones for power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ck_repo.rounds.check.finding import ACCEPTED, Checked
from ck_repo.rounds.check.system import system_type
from ck_repo.rounds.round import Round
from ck_repo.rounds.submission import DIVISIONS

CATEGORIES = ("datacenter", "edge")
_CLOSED = ("ID", "Submitter", "Availability", "System", "Processor", "p#", "Accelerator", "a#", "Software", "Notes")
_OPEN = (*_CLOSED, "UsedModel", "Accuracy")
_DIGITS = 10  # separator in counts of processors or nodes
Value = str | float | None


@dataclass(frozen=True)
class Table:
    """One table of the report.

    Attributes
    ----------
    name
        ``closed,edge``, ``open,datacenter,power`` ….
    index
        Names of the first columns, which identify a line.
    columns
        Benchmark, scenario and unit of the others.
    rows
        The values of each line.
    """

    name: str
    index: tuple[str, ...]
    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[Value, ...], ...]

    def as_data(self) -> dict[str, object]:
        """As JSON: the values of a line by column."""
        names = [*self.index, *(" ".join(column) for column in self.columns)]
        rows = [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in self.rows]
        return {"name": self.name, "rows": rows}


def final_report(round_: Round, results: Sequence[Checked], *, official: bool = False) -> list[Table]:
    """The tables of the accepted results of the round's scenarios; empty tables are omitted.

    Parameters
    ----------
    official
        Whether the verdicts of the round's own checker decide, where ours differ.

    Returns
    -------
    list of Table
        By division and category, each with and without power.
    """
    accepted = [row for row in results if row.verdict(official) == ACCEPTED and row.benchmark and row.scenario]
    numbers = {key: number for number, key in enumerate(sorted({_system(row) for row in accepted}), 1)}
    tables = []
    for division in DIVISIONS:
        for category in CATEGORIES:
            chosen = [
                row for row in accepted if row.place.division == division and category in system_type(row.system).split(",")
            ]
            chosen = [row for row in chosen if _is_of(round_, row, category)]
            for power in (False, True):
                shown = [row for row in chosen if row.power] if power else chosen
                name = f"{division},{category}" + (",power" if power else "")
                if shown:
                    tables.append(_table(round_, name, shown, numbers, power))
    return tables


def _is_of(round_: Round, row: Checked, category: str) -> bool:
    """Whether a category has the scenario for the benchmark; the open division has all."""
    if row.open:
        return True
    rules = round_.submission.scenarios.get(category, {}).get(row.benchmark)
    return rules is not None and round_.folder_scenario(row.place.scenario) in (*rules.required, *rules.optional)


def _system(row: Checked) -> tuple[str, ...]:
    """The line of a result: its system, and in the open division also its model."""
    place = row.place
    owner = (place.division, str(row.system.get("status", "")).lower(), place.submitter, place.system)
    return (*owner, place.model) if row.open else owner


def _table(round_: Round, name: str, results: Sequence[Checked], numbers: dict[tuple[str, ...], int], power: bool) -> Table:
    columns = _columns(round_, results, power)
    groups: dict[tuple[str, ...], list[Checked]] = {}
    for row in results:
        groups.setdefault(_system(row), []).append(row)
    rows = []
    for key in sorted(groups, key=lambda each: numbers[each]):
        values: dict[tuple[str, str, str], Value] = {}
        for row in groups[key]:
            values[_column(round_, row, False)] = _finite(row.value)
            if power:
                values[_column(round_, row, True)] = row.power
        first = _index(f"{round_.name.removeprefix('v')}-{numbers[key]:03}", groups[key][0])
        rows.append((*first, *(values.get(column) for column in columns)))
    return Table(name, _OPEN if name.startswith("open") else _CLOSED, tuple(columns), tuple(rows))


def _columns(round_: Round, results: Sequence[Checked], power: bool) -> list[tuple[str, str, str]]:
    """Sort by the round's benchmarks and scenarios, performance before power."""
    found = dict.fromkeys(_column(round_, row, each) for row in results for each in ((False, True) if power else (False,)))
    benchmarks = [row.summary_name for row in round_.benchmarks.values()]
    scenarios = [row.name for row in round_.scenarios().values()]
    units = list(
        dict.fromkeys(unit for row in round_.scenarios().values() for unit in (row.summary_unit, row.power_summary_unit))
    )
    return sorted(found, key=lambda row: (benchmarks.index(row[0]), scenarios.index(row[1]), units.index(row[2])))


def _column(round_: Round, row: Checked, power: bool) -> tuple[str, str, str]:
    scenario = round_.scenario(round_.folder_scenario(row.place.scenario))
    unit = scenario.power_summary_unit if power else scenario.summary_unit
    return (round_.benchmarks[row.benchmark].summary_name, scenario.name, unit)


def _index(number: str, row: Checked) -> tuple[Value, ...]:
    about = {key: str(value) for key, value in row.system.items()}
    accelerators = about.get("accelerators_per_node", "")
    first = (
        number, row.place.submitter, about.get("status", "").lower(), about.get("system_name", ""),
        about.get("host_processor_model_name", ""), _product(about), _name(about.get("accelerator_model_name", "")),
        "" if accelerators in ("0", "") else accelerators, about.get("framework", ""), about.get("hw_notes", ""),
    )  # fmt: skip
    return (*first, row.place.model, row.mAP) if row.open else first


def _product(about: dict[str, str]) -> str:
    """Processors of all nodes; unchanged if it is not a number."""
    processors, nodes = about.get("host_processors_per_node", ""), about.get("number_of_nodes", "1")
    if not all(text.isdecimal() and len(text) < _DIGITS for text in (processors, nodes)):
        return processors
    return str(int(processors) * int(nodes))


def _finite(value: float | None) -> float | None:
    """The value if it can be written: JSON and spreadsheets have no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _name(text: str) -> str:
    return "" if text in ("-", "N/A") else text

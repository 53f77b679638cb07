"""The results of a tree in an order, and as the round's summary.csv has them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.check.power import has_power

ORDERS = ("model", "scenario", "system")


def ordered(rows: Sequence[Checked], by: str) -> list[Checked]:
    """Results by one of `ORDERS` first, then by the others."""

    def key(row: Checked) -> tuple[str, ...]:
        place = row.place
        values = {"model": row.benchmark, "scenario": place.scenario, "system": f"{place.submitter} {place.system}"}
        return (values[by], *(values[name] for name in ORDERS if name != by))

    return sorted(rows, key=key)


# the columns of the round's summary.csv, in its order and spelling
_COLUMNS = (
    "Organization", "Availability", "Division", "SystemType", "SystemName", "Platform", "Model", "MlperfModel", "Scenario",
    "Result", "Accuracy", "number_of_nodes", "host_processor_model_name", "host_processors_per_node",
    "host_processor_core_count", "accelerator_model_name", "accelerators_per_node", "Location", "framework", "operating_system",
    "notes", "compilance", "errors", "version", "inferred", "has_power", "Units",
)  # fmt: skip


def summary_csv(rows: Sequence[Checked]) -> str:
    """The accepted results as the round's summary.csv has them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        if row.status == "rejected":
            continue
        about, place = row.system, row.place
        complies = not any(each.rule.startswith("compliance") for each in row.findings)
        notes = " ".join(str(about.get(key, "")) for key in ("hw_notes", "sw_notes") if about.get(key))
        writer.writerow([
            place.submitter, about.get("status", ""), place.division, about.get("system_type", ""),
            about.get("system_name", ""), place.system, place.model, row.round.benchmarks[row.benchmark].summary_name,
            row.round.folder_scenario(place.scenario), row.value, row.mAP,
            *(about.get(key, "") for key in _COLUMNS[11:17]), place.results.relative_to(place.root), about.get("framework", ""),
            about.get("operating_system", ""), notes, int(complies), len(row.findings), row.round.name, 0,
            has_power(row), row.unit,
        ])  # fmt: skip
    return text.getvalue()

"""Experiments as a table with a column for every result and setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo.report.site_rows import SiteRow
from ck_repo.report.subject import Subject

Cell = str | int | float | bool | None
# sections of an experiment's meta that become columns, and their prefixes
_PARTS = (
    ("options", "option."), ("results", ""), ("spec.loadgen", "loadgen."), ("spec.model", "interface."),
    ("settings", "loadgen."), ("platform", "platform."), ("system", "system."), ("venv", "venv."),
    ("published", "published."), ("engine", "engine."),
)  # fmt: skip


def flat_row(subject: Subject) -> dict[str, Cell]:
    """All data of an experiment, by column. Lists become text."""
    row, figures = SiteRow(subject), subject.figures
    found: dict[str, Cell] = {
        "experiment": row.name, "uid": row.uid, "repository": subject.entry.repository, "kind": row.kind,
        "recorded": row.recorded, "tags": ",".join(map(str, subject.meta.get("tags") or ())), "commit": row.commit,
        "model": row.model, "benchmark": figures.benchmark, "precision": row.precision, "dataset": row.dataset,
        "backend": row.backend, "device": row.device, "machine": row.machine, "scenario": row.scenario, "round": figures.round,
        "figure": row.value, "unit": row.unit, "valid": row.valid if row.value is not None else None, "mAP": row.mAP,
        "p99_ms": row.p99,
    }  # fmt: skip
    for path, prefix in _PARTS:
        value: Any = subject.meta
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, Mapping):
            for name, cell in _flattened(value, prefix):
                found.setdefault(name, cell)
    return found


def _flattened(value: Mapping[str, Any], prefix: str) -> list[tuple[str, Cell]]:
    rows: list[tuple[str, Cell]] = []
    for key, each in value.items():
        if isinstance(each, Mapping):
            rows += _flattened(each, f"{prefix}{key}.")
        elif isinstance(each, list | tuple):
            rows.append((f"{prefix}{key}", "; ".join(map(str, each))))
        else:
            rows.append((f"{prefix}{key}", each if isinstance(each, str | int | float | bool) or each is None else str(each)))
    return rows


def flat_table(subjects: Sequence[Subject]) -> tuple[list[str], list[dict[str, Cell]]]:
    """The columns of all experiments, and a line for each."""
    rows = [flat_row(subject) for subject in subjects]
    return list(dict.fromkeys(name for row in rows for name in row)), rows

"""The data of experiments in a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ck_repo.experiments.figures import TRIAL
from ck_repo.report.subject import Subject


@dataclass(frozen=True)
class SiteRow:
    """An experiment in the tables and charts of a site."""

    subject: Subject

    @property
    def uid(self) -> str:
        """Names its page, so that links stay valid when it is renamed."""
        return self.subject.entry.uid

    @property
    def page(self) -> str:
        """The URL of its page, relative to the site's root."""
        return f"experiments/{self.uid}.html"

    @property
    def name(self) -> str:
        return self.subject.name

    @property
    def kind(self) -> str:
        """``result``, ``submitted``, ``trial`` or ``compliance``."""
        meta = self.subject.meta
        if meta.get("published"):
            return "submitted"
        if (meta.get("options") or {}).get("compliance"):
            return "compliance"
        return "trial" if TRIAL in (meta.get("tags") or ()) else "result"

    @property
    def model(self) -> str:
        return self.subject.figures.model

    @property
    def dataset(self) -> str:
        return str(self.subject.results.get("dataset", ""))

    @cached_property
    def precision(self) -> str:
        """From the model's recipe or the submission."""
        section = (self.subject.meta.get("model") or {}).get("model") or {}
        measured = self.subject.meta.get("measurements") or {}
        return str(section.get("precision") or measured.get("weight_data_types") or "")

    @property
    def backend(self) -> str:
        system = self.subject.meta.get("system") or {}
        return str(self.subject.results.get("backend") or system.get("framework", ""))

    @property
    def device(self) -> str:
        system = self.subject.meta.get("system") or {}
        return str(self.subject.results.get("device") or system.get("accelerator_model_name", ""))

    @property
    def scenario(self) -> str:
        return self.subject.figures.scenario

    @property
    def machine(self) -> str:
        """The CPU; for a submission the system."""
        meta = self.subject.meta
        name = (meta.get("published") or {}).get("system") or (meta.get("platform") or {}).get("cpu")
        return str(name or (meta.get("system") or {}).get("system_name", ""))

    @property
    def value(self) -> float | None:
        return self.subject.figures.value

    @property
    def unit(self) -> str:
        return self.subject.figures.unit

    @property
    def lower_is_better(self) -> bool:
        return self.subject.figures.lower_is_better

    @property
    def valid(self) -> bool:
        return self.subject.figures.valid

    @property
    def verdict(self) -> str:
        """One word; empty without a performance run."""
        return "" if self.value is None else "VALID" if self.valid else "INVALID"

    @property
    def mAP(self) -> float | None:
        return self.subject.figures.mAP

    @property
    def p99(self) -> float | None:
        return self.subject.figures.latency_ms

    @property
    def recorded(self) -> str:
        return str(self.subject.meta.get("recorded", ""))

    @cached_property
    def commit(self) -> str:
        """The commits of the repositories that were used, abbreviated."""
        rows: Mapping[str, Any] = self.subject.meta.get("repositories") or {}
        return " ".join(str(row.get("commit"))[:10] for row in rows.values() if row and row.get("commit"))

    @property
    def series(self) -> tuple[str, ...]:
        """Properties that two runs of one trend have in common."""
        return (self.model, self.dataset, self.precision, self.backend, self.device, self.scenario, self.machine)


def front(rows: Sequence[SiteRow]) -> list[SiteRow]:
    """The Pareto front of speed and accuracy: runs that no other run dominates, the slowest first."""
    measured = [row for row in rows if row.value is not None and row.mAP is not None and row.valid]
    kept: list[SiteRow] = []
    best = -1.0
    for row in sorted(measured, key=_fastest_first):
        if (row.mAP or 0.0) > best:
            kept.append(row)
            best = row.mAP or 0.0
    return kept[::-1]


def _fastest_first(row: SiteRow) -> tuple[float, float]:
    value = row.value or 0.0
    return (value if row.lower_is_better else -value, -(row.mAP or 0.0))

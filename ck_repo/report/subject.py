"""An experiment as the subject of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ck_repo.contract.logs import Detail
from ck_repo.errors import CKError
from ck_repo.experiments.figures import Figures, figures, scenario_of
from ck_repo.experiments.meta import ExperimentMeta, read_experiment
from ck_repo.experiments.queries import Queries, read_queries
from ck_repo.experiments.spread import percentile_interval, rate_interval
from ck_repo.rounds.logs import read_detail
from ck_repo.rounds.scenario import Scenario
from ck_repo.stock.experiment import refuse_stock_experiment
from ck_repo.store.entry import Entry
from ck_repo.store.plain_file import UnreadableError


@dataclass(frozen=True)
class Subject:
    """A recorded run, or an imported result.

    Attributes
    ----------
    entry, record
        The experiment and its meta.json.
    meta
        The same without conversion: tables show keys that no field has.
    """

    entry: Entry
    record: ExperimentMeta
    meta: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its readable name."""
        return self.entry.alias

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.entry.path

    @property
    def results(self) -> Mapping[str, Any]:
        """The results of a run here; empty for an imported result."""
        return self.meta.get("results") or {}

    @property
    def performance(self) -> Mapping[str, Any]:
        """The results of the performance run; empty if there was none."""
        return self.results.get("performance") or {}

    @property
    def accuracy(self) -> Mapping[str, Any]:
        """The results of the accuracy run; empty if there was none."""
        return self.results.get("accuracy") or {}

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec of the run; empty for an imported result."""
        return self.meta.get("spec") or {}

    @cached_property
    def figures(self) -> Figures:
        """The results in one form for runs and imported results."""
        return figures(self.record)

    @cached_property
    def scenario(self) -> Scenario | None:
        """The scenario, None if it is unknown."""
        return scenario_of(self.record)

    @property
    def bound_ms(self) -> float | None:
        """The latency bound of the run, ms."""
        settings = self.spec.get("loadgen") or {}
        if self.scenario is None or not self.scenario.latency_bound:
            return None
        bound = settings.get("target_latency_ms")
        return self.scenario.target_latency_ms if bound is None else float(bound)

    @property
    def queries(self) -> Queries | None:
        """The queries of the performance run with their times; None if they were not recorded or cannot be read."""
        return self._read[0]

    @property
    def queries_problem(self) -> str:
        """Why the recorded times cannot be read; empty if they can, or were not recorded."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Queries | None, str]:
        try:
            return read_queries(self.folder), ""
        except CKError as error:
            return None, error.what

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """A 95 % interval of the result, from the times of the run's own queries; None if they do not give one."""
        found, scenario = self.counted, self.scenario
        if found is None or scenario is None:
            return None
        if scenario.lower_is_better:
            between = percentile_interval(sorted(found.latency_ns), scenario.percentile)
            return None if between is None else (between[0] / 1e6, between[1] / 1e6)
        if scenario.one_query:
            ends = [(start + latency) / 1e9 for start, latency in zip(found.start_ns, found.latency_ns, strict=True)]
            return rate_interval(ends, min(found.start_ns) / 1e9)
        return None

    @cached_property
    def counted(self) -> Queries | None:
        """The unit of LoadGen's percentiles: queries if they have several samples, as in MultiStream, else samples."""
        found = self.queries
        if found is None or self.scenario is None or not self.scenario.several_samples:
            return found
        return found.per_query()

    @cached_property
    def detail(self) -> Detail:
        """LoadGen's detail log of the performance run; empty if it is missing."""
        try:
            return read_detail(self.folder / "performance" / "mlperf_log_detail.txt", self.folder)
        except (UnreadableError, OSError):
            return Detail()


def subject_of(entry: Entry) -> Subject:
    """An experiment for a report.

    Raises
    ------
    CKError
        If stock CK recorded it, or a value has the wrong type.
    """
    meta = entry.meta()
    refuse_stock_experiment(entry, meta, "reported")
    return Subject(entry, read_experiment(entry), meta)

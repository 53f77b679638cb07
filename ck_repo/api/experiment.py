"""An experiment as a value: what was run, and the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from ck_repo.api.table import html_table
from ck_repo.contract.record import write
from ck_repo.contract.results import Results
from ck_repo.experiments.experiment_table import experiment_lines, experiment_rows, summary_line
from ck_repo.experiments.figures import figures
from ck_repo.experiments.meta import ExperimentMeta, read_experiment, read_meta, readable
from ck_repo.store.entry import META, Entry


@dataclass(frozen=True)
class Accuracy:
    """COCO's metrics (https://cocodataset.org/#detection-eval).

    Attributes
    ----------
    mAP
        Mean average precision over IoU 0.50 to 0.95, 0–1.
    AP50, AP75
        Average precision at IoU 0.50 and 0.75, 0–1; None if not recorded.
    detections
        The number of scored detections; None if not recorded.
    coco
        COCO's twelve metrics by name (``AP_small``, ``AR100`` …), 0–1; -1 where no object has that size. Empty for an imported
        result.
    """

    mAP: float
    AP50: float | None = None
    AP75: float | None = None
    detections: int | None = None
    coco: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Performance:
    """The result of a performance run.

    Attributes
    ----------
    value
        The scenario's metric in `unit`.
    unit
        ``ms`` (90th percentile of the latency), ``samples/query``, ``queries/s`` or ``samples/s``.
    valid
        Whether LoadGen called the run VALID.
    latency_ms
        Latency in ms: ``mean`` and percentiles, ``p50`` to ``p99_9``.
    queries
        The number of queries; None for an imported result.
    seconds
        Duration of the run in s; None for an imported result.
    reasons
        Why the run is not valid.
    lower_is_better
        Whether lower values are better.
    """

    value: float
    unit: str
    valid: bool
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    queries: int | None = None
    seconds: float | None = None
    reasons: tuple[str, ...] = ()
    lower_is_better: bool = False


@dataclass(frozen=True)
class Experiment:
    """A recorded run, or an imported result.

    Attributes
    ----------
    uid, alias
        Its names; without a name the alias is the UID.
    repository
        Alias of the repository that holds it.
    path
        Its folder, with ``spec.json``, ``results.json`` and LoadGen's logs.
    tags
        Sorted.
    recorded
        The date in UTC, as ISO 8601.
    model, dataset, scenario, backend, device
        What was run; empty if unknown.
    images
        The number of images; None if unknown.
    official
        Whether the durations and counts of the round's rules were used.
    accuracy, performance
        None if not measured.
    meta
        The complete meta.json, for data without an attribute.
    """

    uid: str
    alias: str
    repository: str
    path: Path
    tags: tuple[str, ...]
    recorded: str
    model: str
    dataset: str
    scenario: str
    backend: str
    device: str
    images: int | None
    official: bool
    accuracy: Accuracy | None
    performance: Performance | None
    meta: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, entry: Entry) -> Experiment:
        """Read an experiment's entry.

        Raises
        ------
        ConfigError
            If a value of its meta has the wrong type.
        """
        return cls._of(entry, read_experiment(entry))

    @classmethod
    def read_all(cls, entries: Iterable[Entry]) -> Iterator[Experiment]:
        """Read experiments; unreadable ones are skipped with a warning."""
        return (cls._of(entry, meta) for entry, meta in readable(entries))

    @classmethod
    def _of(cls, entry: Entry, meta: ExperimentMeta) -> Experiment:
        found, results = figures(meta), meta.results or Results()
        return cls(
            entry.uid, entry.alias, entry.repository, entry.path, tuple(sorted(meta.tags)), meta.recorded, found.model,
            results.dataset, found.scenario, results.backend, results.device, results.images, bool(results.official),
            _accuracy(meta), _performance(meta), meta.data,
        )  # fmt: skip

    @cached_property
    def _record(self) -> ExperimentMeta:
        return read_meta(self.meta, self.path / META)

    @property
    def cid(self) -> str:
        """The name on the command line: ``experiment:NAME``."""
        return f"experiment:{self.alias}"

    def __str__(self) -> str:
        return "\n".join(experiment_lines(self.alias, self._record))

    def _repr_html_(self) -> str:
        return html_table((), experiment_rows(self.alias, self._record))


def _accuracy(meta: ExperimentMeta) -> Accuracy | None:
    row = meta.results.accuracy if meta.results else None
    if row:
        figures_ = {key: value for key, value in write(row).items() if key.startswith(("mAP", "AP", "AR"))}
        coco = {key: float(value) for key, value in figures_.items() if isinstance(value, int | float)}
        return Accuracy(row.mAP, row.AP50, row.AP75, row.detections, coco)
    mAP = figures(meta).mAP
    return None if mAP is None else Accuracy(mAP)


def _performance(meta: ExperimentMeta) -> Performance | None:
    found, row = figures(meta), meta.results.performance if meta.results else None
    if found.value is None:
        return None
    latency = row.latency_ms if row else {}
    if not latency and found.latency_ms is not None:
        latency = {"p99": found.latency_ms}
    return Performance(
        found.value, found.unit, found.valid, latency, row.queries if row else None, row.duration_s if row else None,
        row.reasons if row else (), found.lower_is_better,
    )  # fmt: skip


@dataclass(frozen=True)
class Experiments(Sequence[Experiment]):
    """Experiments, the oldest first; a notebook shows them as a table."""

    found: tuple[Experiment, ...]

    @overload
    def __getitem__(self, index: int) -> Experiment: ...
    @overload
    def __getitem__(self, index: slice) -> Experiments: ...
    def __getitem__(self, index: int | slice) -> Experiment | Experiments:
        return Experiments(self.found[index]) if isinstance(index, slice) else self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Experiment]:
        return iter(self.found)

    def _repr_html_(self) -> str:
        header = ("experiment", "model", "scenario", "mAP", "performance", "recorded")
        return html_table(header, [(row.alias, *summary_line(row._record)) for row in self.found])

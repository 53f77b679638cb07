"""The meta.json of an experiment, read into a dataclass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ck_repo import progress
from ck_repo.contract.record import optional, other_keys, transient
from ck_repo.contract.results import Results
from ck_repo.environment.lockfile import RepositoryState
from ck_repo.errors import CKError
from ck_repo.experiments.published_figure import Published
from ck_repo.machine.platform import Platform
from ck_repo.rounds.round import DEFAULT
from ck_repo.stock.experiment import refuse_stock_experiment
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.installed import Installed

_HINT = "restore the file, or remove the experiment"


@dataclass(frozen=True)
class Named:
    """An entry that was used: the program, or the experiment that this one was compared with."""

    alias: str = optional("")
    uid: str = optional("")
    module: str = optional("")
    digest: str = optional("")


@dataclass(frozen=True)
class RecordedOptions:
    """The main options of a run; `run.recorded_options.options_of` returns all of them."""

    round: str = optional(DEFAULT)
    compliance: str = optional("")
    count: int | None = optional()
    others: Mapping[str, Any] = other_keys()


@dataclass(frozen=True)
class RecordedVenv:
    """The venv, with the version of each Python package."""

    name: str = optional("")
    template: str = optional("")
    python: str = optional("")
    packages: Mapping[str, str] = optional({})


@dataclass(frozen=True)
class RecordedInput:
    """The model in a run's spec: side of its input in pixels, and type of its values."""

    side: float | None = optional()
    dtype: str = optional("fp32")


@dataclass(frozen=True)
class RecordedLoadGen:
    """LoadGen's settings: latency bound and minimum duration in ms, minimum number of queries, target in queries/s."""

    target_latency_ms: float | None = optional()
    min_duration_ms: float | None = optional()
    min_query_count: float | None = optional()
    target_qps: float | None = optional()


@dataclass(frozen=True)
class RecordedSpec:
    """The parts of a run's spec that are read again; a spec of an earlier version may lack some."""

    model: RecordedInput | None = optional()
    loadgen: RecordedLoadGen | None = optional()


@dataclass(frozen=True)
class RecordedVerdict:
    """Whether a replay reproduced its experiment, and why."""

    reproduced: bool
    why: str


@dataclass(frozen=True)
class Verified:
    """Whether a compliance test was passed."""

    passed: bool


@dataclass(frozen=True)
class ExperimentMeta:
    """The record of a run, or of an imported result.

    Attributes
    ----------
    recorded
        When, in UTC, as ISO 8601.
    results
        Of a run.
    published, system, settings, compliance
        For an imported result: its result, the description of its system, LoadGen's settings, and verdicts of compliance tests.
    model, dataset
        The env entries of a run's model and data set.
    parent
        The experiment that was replayed, or that a compliance test was compared with.
    remarks
        Remarks.
    data
        The complete meta.json, for data without an attribute.
    """

    tags: tuple[str, ...] = optional(())
    recorded: str = optional("")
    results: Results | None = optional()
    published: Published | None = optional()
    system: Mapping[str, Any] = optional({})
    settings: Mapping[str, Any] = optional({})
    compliance: Mapping[str, Any] = optional({})
    program: Named | None = optional()
    model: Installed | None = optional()
    dataset: Installed | None = optional()
    spec: RecordedSpec | None = optional()
    options: RecordedOptions = optional(RecordedOptions())
    platform: Platform | None = optional()
    venv: RecordedVenv | None = optional()
    repositories: Mapping[str, RepositoryState] = optional({})
    parent: Named | None = optional()
    verdict: RecordedVerdict | None = optional()
    verified: Verified | None = optional()
    remarks: tuple[str, ...] = optional(())
    data: Mapping[str, Any] = transient({})


def read_meta(content: Mapping[str, Any], source: object) -> ExperimentMeta:
    """Read an experiment's meta from JSON.

    Raises
    ------
    ConfigError
        If a value has the wrong type; with the file and the key.
    """
    tags = list(Fields(content, source).tags()) if "tags" in content else []
    return replace(Fields({**content, "tags": tags}, source).record(ExperimentMeta, _HINT), data=content)


def read_experiment(entry: Entry) -> ExperimentMeta:
    """Read the meta of an experiment.

    Raises
    ------
    ConfigError
        If a value has the wrong type; with the file and the key.
    """
    return read_meta(entry.meta(), entry.path / META)


def own_experiment(entry: Entry, verb: str) -> Entry:
    """The entry of an experiment that was recorded by this package.

    Parameters
    ----------
    verb
        What cannot be done with others, for the message: ``compared``.

    Raises
    ------
    UsageError
        If stock CK recorded it.
    ConfigError
        If a value has the wrong type.
    """
    refuse_stock_experiment(entry, entry.meta(), verb)
    read_experiment(entry)
    return entry


def readable(entries: Iterable[Entry]) -> Iterator[tuple[Entry, ExperimentMeta]]:
    """Experiments with their metas; unreadable ones are skipped with a warning."""
    for entry in entries:
        try:
            yield entry, read_experiment(entry)
        except (CKError, OSError) as error:
            what = error.what if isinstance(error, CKError) else str(error)
            progress.warn(f"{entry.cid} is skipped, because it cannot be read: {what}")

"""A round: its rules as a value, read from its data file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ck_repo.errors import ConfigError, NotFoundError, UsageError, did_you_mean
from ck_repo.rounds.scenario import Scenario, needed_number, needed_whole, one_of, read_scenario
from ck_repo.rounds.submission_rules import SubmissionRules, read_submission_rules
from ck_repo.store.fields import Fields

DEFAULT = "v1.0"
FOLDER = Path(__file__).parent / "data"  # one file a round
SEEDS = ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")
_LOG_FORMATS = ("mllog",)  # that `logs` can read
_ANY = ""  # for the figures that do not depend on the benchmark


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of a round.

    Attributes
    ----------
    names
        Lower-case names that submitters may give its folders.
    summary_name
        Its name in the round's summary.csv.
    accuracy
        Minimum mAP in the closed division, 0–1.
    """

    name: str
    names: tuple[str, ...]
    summary_name: str
    performance_sample_count: int
    accuracy: float


@dataclass(frozen=True)
class Round:
    """The rules of a round.

    Attributes
    ----------
    loadgen, loadgen_of_round
        Versions of LoadGen that load the round's samples: one of today's, and the round's own.
    log_format
        Of the detail log: ``mllog`` for lines of JSON that begin with ``:::MLLOG``.
    images
        The minimum for a closed result: COCO val2017 without the images that have no annotations.
    folders_any_case
        Whether scenario folders may be in any case.
    other_scenarios
        Scenarios that LoadGen's configuration files may name, and that are none of the round's.
    submission
        The rules for submission trees.
    """

    name: str
    loadgen: str
    loadgen_of_round: str
    log_format: str
    images: int
    seeds: Mapping[str, int]
    benchmarks: Mapping[str, Benchmark]
    folders_any_case: bool
    other_scenarios: tuple[str, ...]
    submission: SubmissionRules
    _scenarios: Mapping[str, Mapping[str, Scenario]] = field(repr=False)  # by benchmark and key

    def scenarios(self, benchmark: str = _ANY) -> Mapping[str, Scenario]:
        """The scenarios by key; without a benchmark they have no target latency and no target rate."""
        return self._scenarios[benchmark]

    def find_scenario(self, name: str, benchmark: str = _ANY) -> Scenario | None:
        """The scenario of this name, in any case; None if the round has none."""
        return self._scenarios[benchmark].get(name.lower())

    def scenario(self, name: str, benchmark: str = _ANY) -> Scenario:
        """The scenario of this name, in any case.

        Raises
        ------
        UsageError
            If the round has none.
        """
        found = self.find_scenario(name, benchmark)
        if found is None:
            known = ", ".join(self.scenarios())
            raise UsageError(f"{name!r} is no scenario of round {self}", hint=f"its scenarios are {known}")
        return found

    def folder_scenario(self, folder: str) -> str:
        """The name of the scenario that a folder of a tree is for; the folder's own name if the rules know none."""
        found = self.find_scenario(folder) if self.folders_any_case else None
        return found.name if found else folder

    def benchmark_called(self, model: str) -> str:
        """The benchmark by any of its names (``ssd-small``, ``ssd-mobilenet`` …); empty if it is none of the round's."""
        return next((row.name for row in self.benchmarks.values() if model.lower() in row.names), "")

    def same_model(self, one: str, other: str) -> bool:
        """Whether two names are of one benchmark: ``ssd-small`` and ``ssd-mobilenet`` are."""
        return one.lower() == other.lower() or self.benchmark_called(one) == self.benchmark_called(other) != ""

    def __str__(self) -> str:
        return self.name


def round_names() -> tuple[str, ...]:
    """The rounds that there are data files of, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def load_round(name: str = DEFAULT) -> Round:
    """A round by its name.

    Raises
    ------
    NotFoundError
        If there is no data file of it.
    ConfigError
        If the data file is wrong; with its key.
    """
    if name not in round_names():
        raise NotFoundError(f"there is no round {name!r}", hint=did_you_mean(name, round_names()))
    return _load(FOLDER, name)


def find_round(name: str) -> Round | None:
    """A round by its name; None if there is no data file of it, as for what another ck recorded."""
    return load_round(name) if name in round_names() else None


@cache
def _load(folder: Path, name: str) -> Round:
    row = Fields(_content(folder, name), folder / f"{name}.json")
    if row.needed("round") != name:
        raise row.error("round", row.text("round"), f"{name}, the name of the file")
    benchmarks = {key: _benchmark(key, each) for key, each in row.each("benchmarks").items()}
    scenarios = row.each("scenarios")
    return Round(
        name=name,
        loadgen=row.needed("loadgen"),
        loadgen_of_round=row.needed("loadgen_of_round"),
        log_format=one_of(row, "log_format", _LOG_FORMATS),
        images=needed_whole(row, "images"),
        seeds={seed: needed_whole(row.fields("seeds"), seed) for seed in SEEDS},
        benchmarks=benchmarks,
        folders_any_case=row.flag("folders_any_case"),
        other_scenarios=row.texts("other_scenarios"),
        submission=read_submission_rules(row),
        _scenarios={
            benchmark: {key: read_scenario(key, each, benchmark) for key, each in scenarios.items()}
            for benchmark in (_ANY, *benchmarks)
        },
    )


def _benchmark(name: str, row: Fields) -> Benchmark:
    return Benchmark(
        name,
        row.texts("names"),
        row.needed("summary_name"),
        needed_whole(row, "performance_sample_count"),
        needed_number(row, "accuracy"),
    )


def _content(folder: Path, name: str) -> dict[str, Any]:
    """A data file; one that says ``"based_on": "v1.0"`` has only what differs from that round, null for what it lacks."""
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="fix the data file of the round") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not an object", hint="fix the data file of the round")
    base = content.pop("based_on", None)
    return content if base is None else _merged(_content(folder, str(base)), content)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in changes.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = _merged(found[key], value)
        else:
            found[key] = value
    return found

"""A round: its rules, read from its data file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ck_repo.contract.logs import DETAIL, Detail
from ck_repo.errors import ConfigError, NotFoundError, UsageError, did_you_mean
from ck_repo.rounds.logs import read_detail
from ck_repo.rounds.scenario import Scenario, needed_integer, needed_number, one_of, read_scenario
from ck_repo.rounds.submission_rules import SubmissionRules, read_submission_rules
from ck_repo.rounds.text_log import TextLog, read_names, read_text_run
from ck_repo.store.fields import Fields

DEFAULT = "v1.0"
FOLDER = Path(__file__).parent / "data"  # one file for each round
SEEDS = ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")
_MLLOG, _TEXT = "mllog", "text"
_ANY = ""  # benchmark for values that do not depend on it


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of a round.

    Attributes
    ----------
    folders
        The exact names of folders that the round's checker accepts for its results.
    names
        Other names for users, in lower case.
    summary_name
        Its name in the round's summary.csv.
    accuracy
        Minimum mAP in the closed division, 0–1.
    """

    name: str
    folders: tuple[str, ...]
    names: tuple[str, ...]
    summary_name: str
    performance_sample_count: int
    accuracy: float


@dataclass(frozen=True)
class CalibrationSet:
    """The images that the closed division allows for calibration.

    Attributes
    ----------
    source, file
        Where the list of their names is: a repository, and a file in it.
    images
        The data set that they are from.
    sha256
        Digest of the sorted names, each followed by a line feed.
    """

    source: str
    file: str
    images: str
    sha256: str


@dataclass(frozen=True)
class Round:
    """The rules of a round.

    Attributes
    ----------
    loadgen, loadgen_of_round
        Versions of LoadGen that load the round's samples: a current one, and the round's own.
    text_log
        The names in the round's text logs; None for logs of JSON lines that begin with ``:::MLLOG``.
    import_only
        Whether its trees have another layout: its logs can be imported, but its trees are not checked.
    images
        The minimum number of images for a closed result: COCO val2017 without images that have no annotations.
    similar_names
        (part, benchmark): a folder whose name contains the part belongs to the benchmark, in this order; to no object detection
        benchmark if the benchmark is empty.
    other_scenarios
        Scenarios that LoadGen's configuration files may name, and that the round does not have.
    conf_models
        Names of other benchmarks in LoadGen's configuration files.
    submission
        The rules for submission trees.
    calibration
        The images for calibration.
    """

    name: str
    loadgen: str
    loadgen_of_round: str
    text_log: TextLog | None
    import_only: bool
    images: int
    seeds: Mapping[str, int]
    benchmarks: Mapping[str, Benchmark]
    similar_names: tuple[tuple[str, str], ...]
    other_scenarios: tuple[str, ...]
    conf_models: tuple[str, ...]
    submission: SubmissionRules
    calibration: CalibrationSet
    _scenarios: Mapping[str, Mapping[str, Scenario]] = field(repr=False)  # by benchmark and key

    def scenarios(self, benchmark: str = _ANY) -> Mapping[str, Scenario]:
        """The scenarios by key; without a benchmark they have no target latency and no target rate."""
        return self._scenarios[benchmark]

    def find_scenario(self, name: str, benchmark: str = _ANY) -> Scenario | None:
        """The scenario with this name; None if the round has none.

        Parameters
        ----------
        name
            In any case.
        benchmark
            The benchmark whose bounds it has, as far as they differ.
        """
        return self._scenarios[benchmark].get(name.lower())

    def scenario(self, name: str, benchmark: str = _ANY) -> Scenario:
        """The scenario with this name, in any case.

        Raises
        ------
        UsageError
            If the round has none.
        """
        found = self.find_scenario(name, benchmark)
        if found is None:
            known = ", ".join(self.scenarios())
            raise UsageError(f"{name!r} is not a scenario of round {self}", hint=f"its scenarios are {known}")
        return found

    def folder_scenario(self, folder: str) -> str:
        """The scenario of a tree's folder: a name as in the rules or in lower case, else unchanged."""
        found = self.find_scenario(folder)
        return found.name if found and folder in (found.key, found.name) else folder

    def benchmark_of_folder(self, model: str) -> str | None:
        """The benchmark of a folder of results, as in the round's checker.

        Returns
        -------
        str or None
            Empty for a benchmark other than object detection; None if the name is unknown.
        """
        for row in self.benchmarks.values():
            if model in row.folders:
                return row.name
        if model in self.submission.other_benchmarks:
            return ""
        return next((benchmark for part, benchmark in self.similar_names if part in model), None)

    def benchmark_called(self, model: str) -> str:
        """The benchmark with any of its names (``ssd-small``, ``SSD-MobileNet`` …); empty if the round has none."""
        lower = model.lower()
        for row in self.benchmarks.values():
            if lower == row.name or lower in row.names or lower in (name.lower() for name in row.folders):
                return row.name
        return ""

    def benchmark_in_tree(self, model: str) -> str:
        """The benchmark of a folder of results, by the checker's names or by any other; empty if the round has none."""
        return self.benchmark_of_folder(model) or self.benchmark_called(model)

    def with_folders(self, names: Mapping[str, str]) -> Round:
        """The round with additional names of folders, and the benchmark of each.

        Raises
        ------
        UsageError
            If the round does not have a benchmark.
        """
        benchmarks = dict(self.benchmarks)
        for folder, name in names.items():
            benchmark = self.benchmark_called(name)
            if not benchmark:
                known = ", ".join(row.summary_name for row in self.benchmarks.values())
                raise UsageError(f"{name!r} is not a benchmark of round {self}", hint=f"map {folder} to one of {known}")
            row = benchmarks[benchmark]
            benchmarks[benchmark] = replace(row, folders=(*row.folders, folder))
        return replace(self, benchmarks=benchmarks)

    def read_run(self, folder: Path, inside: Path | None = None, *, figures: bool = True) -> Detail:
        """Read the logs of a run; UnreadableError if the detail log is not a regular file of the tree `inside`.

        Parameters
        ----------
        figures
            Whether the figures are needed, which text logs have in the summary.
        """
        if self.text_log is None:
            return read_detail(folder / DETAIL, inside)
        return read_text_run(folder, self.text_log, inside, figures=figures)

    def same_model(self, one: str, other: str) -> bool:
        """Whether two names mean the same benchmark, such as ``ssd-small`` and ``ssd-mobilenet``."""
        return one.lower() == other.lower() or self.benchmark_in_tree(one) == self.benchmark_in_tree(other) != ""

    def of_seeds(self, seeds: Mapping[str, object]) -> bool:
        """Whether a log's seeds are the round's."""
        return all(seeds.get(f"effective_{name}") == value for name, value in self.seeds.items())

    def __str__(self) -> str:
        return self.name


def round_names() -> tuple[str, ...]:
    """The rounds with a data file, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def load_round(name: str = DEFAULT) -> Round:
    """A round by its name.

    Raises
    ------
    NotFoundError
        If there is no data file of it.
    ConfigError
        If the data file is invalid; with its key.
    """
    if name not in round_names():
        raise NotFoundError(f"there is no round {name!r}", hint=did_you_mean(name, round_names()))
    return _load(FOLDER, name)


def find_round(name: str) -> Round | None:
    """A round by its name; None if there is no data file, as for records of another version of ck."""
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
        text_log=read_names(row.fields("text_log")) if one_of(row, "log_format", (_MLLOG, _TEXT)) == _TEXT else None,
        import_only=row.flag("import_only"),
        images=needed_integer(row, "images"),
        seeds={seed: needed_integer(row.fields("seeds"), seed) for seed in SEEDS},
        benchmarks=benchmarks,
        similar_names=tuple((each.needed("part"), each.text("benchmark")) for each in row.rows("similar_names")),
        other_scenarios=row.texts("other_scenarios"),
        conf_models=row.texts("conf_models"),
        submission=read_submission_rules(row),
        calibration=_calibration(row.fields("calibration")),
        _scenarios={
            benchmark: {key: read_scenario(key, each, benchmark) for key, each in scenarios.items()}
            for benchmark in (_ANY, *benchmarks)
        },
    )


def _benchmark(name: str, row: Fields) -> Benchmark:
    return Benchmark(
        name,
        row.texts("folders"),
        row.texts("names"),
        row.needed("summary_name"),
        needed_integer(row, "performance_sample_count"),
        needed_number(row, "accuracy"),
    )


def _calibration(row: Fields) -> CalibrationSet:
    return CalibrationSet(row.needed("source"), row.needed("file"), row.needed("images"), row.needed("sha256"))


def _content(folder: Path, name: str) -> dict[str, object]:
    """Read a data file; one with ``"based_on": "v1.0"`` only has differences from that round, null for missing keys."""
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="fix the data file of the round") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not an object", hint="fix the data file of the round")
    base = content.pop("based_on", None)
    return content if base is None else _merged(_content(folder, str(base)), content)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, object]:
    found = dict(base)
    for key, value in changes.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = _merged(found[key], value)
        else:
            found[key] = value
    return found

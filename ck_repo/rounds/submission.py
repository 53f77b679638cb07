"""A submission tree: the place of each result, and the content of its files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ck_repo.contract.logs import SUMMARY, Detail
from ck_repo.errors import NotFoundError
from ck_repo.rounds.logs import read_accuracy, read_summary, read_text
from ck_repo.rounds.round import Round
from ck_repo.rounds.scenario import Scenario
from ck_repo.store.entry import parse_json
from ck_repo.store.plain_file import UnreadableError, is_folder, names

DIVISIONS = ("closed", "open")
LAYOUT = "expected (closed|open)/SUBMITTER/results/SYSTEM/MODEL/SCENARIO/"
SMALL = 4 << 20  # maximum bytes of a text file
BASELINE, FALLBACK = "baseline_accuracy.txt", "compliance_accuracy.txt"  # files of TEST01, if its answers are not bitwise equal


@dataclass(frozen=True)
class Place:
    """The place of a result in a tree.

    Attributes
    ----------
    root
        The folder with the divisions.
    model, scenario
        The names of the folders.
    """

    root: Path
    division: str
    submitter: str
    system: str
    model: str
    scenario: str

    @property
    def submission(self) -> Path:
        """The submitter's folder."""
        return self.root / self.division / self.submitter

    @property
    def system_file(self) -> Path:
        """The description of the system."""
        return self.submission / "systems" / f"{self.system}.json"

    @property
    def results(self) -> Path:
        """The folder of the logs."""
        return self.submission / "results" / self.system / self.model / self.scenario

    @property
    def performance(self) -> Path:
        """The folder of the performance run."""
        return self.results / "performance" / "run_1"

    @property
    def accuracy(self) -> Path:
        """The folder of the accuracy run."""
        return self.results / "accuracy"

    @property
    def measurements(self) -> Path:
        """The folder of the settings."""
        return self.submission / "measurements" / self.system / self.model / self.scenario

    @property
    def compliance(self) -> Path:
        """The folder of the compliance tests."""
        return self.submission / "compliance" / self.system / self.model / self.scenario

    def identity(self) -> dict[str, str]:
        """The result's submitter, system, model and scenario as data."""
        names = ("division", "submitter", "system", "model", "scenario")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return "/".join(self.identity().values())


@dataclass
class Result:
    """The content of a result's files.

    Attributes
    ----------
    value, unit
        The result of the scenario with the decimals of the round's tables: ms, samples/s, queries/s or samples/query; None if
        the log lacks it.
    mAP
        In percent, as in accuracy.txt; None without one.
    p99_ms
        99th percentile of a query's latency, ms.
    description
        The system's JSON.
    settings
        LoadGen's settings for the performance run, by names of TestSettings, and the version of LoadGen.
    inferred
        Whether the result is inferred from the log of another scenario.
    figures
        All values ``result_…`` and ``early_stopping_…`` of the performance log.
    samples
        The indices of the performance set that LoadGen loaded.
    summary
        The lines of its summary.
    compliance
        By test: the verdict in its files.
    remarks
        Missing and unreadable files, each with the reason.
    """

    round: Round
    place: Place
    value: float | None = None
    unit: str = ""
    valid: bool = False
    inferred: bool = False
    mAP: float | None = None
    p99_ms: float | None = None
    description: dict[str, object] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    figures: dict[str, object] = field(default_factory=dict)
    samples: list[int] = field(default_factory=list)
    summary: dict[str, str] = field(default_factory=dict)
    measurement: dict[str, object] = field(default_factory=dict)
    user_conf: str = ""
    compliance: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Folder:
    """A folder of results of a system, or of one of its models."""

    root: Path
    division: str
    submitter: str
    system: str
    model: str = ""

    @property
    def path(self) -> Path:
        """The folder."""
        return self.root / self.division / self.submitter / "results" / self.system / self.model

    @property
    def system_file(self) -> Path:
        """The description of the system."""
        return self.root / self.division / self.submitter / "systems" / f"{self.system}.json"

    @property
    def below(self) -> list[str]:
        """The folders in it: models, or scenarios."""
        return _folders(self.root, self.path)

    def models(self) -> list[Folder]:
        """The folders of a system's models."""
        return [replace(self, model=model) for model in self.below]

    def places(self) -> list[Place]:
        """The results of a model."""
        owner = (self.root, self.division, self.submitter, self.system, self.model)
        return [Place(*owner, scenario) for scenario in self.below]


def find_systems(path: Path) -> Iterator[Folder]:
    """The folders of systems under results/, in order; see `find_results`."""
    root, division, submitter = _scope(path)
    for part in DIVISIONS if division == "*" else (division,):
        for who in _folders(root, root / part) if submitter == "*" else (submitter,):
            for system in _folders(root, root / part / who / "results"):
                yield Folder(root, part, who, system)


def find_results(path: Path) -> list[Place]:
    """Every result of a tree, in order; `path` is its root, a division or one submitter's folder.

    Raises
    ------
    NotFoundError
        If there is none; the message has the expected layout.
    """
    places = [place for row in find_systems(path) for model in row.models() for place in model.places()]
    if not places:
        raise NotFoundError(f"{path.expanduser()} has no result", hint=LAYOUT)
    return places


def _scope(path: Path) -> tuple[Path, str, str]:
    """The root of a tree, and the requested division and submitter, or ``*``."""
    path = Path(os.path.realpath(path.expanduser()))
    if not os.path.isdir(path):
        raise NotFoundError(f"{path} is not an existing folder")
    if path.name in DIVISIONS and not any((path / name).is_dir() for name in DIVISIONS):
        return path.parent, path.name, "*"
    if (path / "results").is_dir() and path.parent.name in DIVISIONS:
        return path.parents[1], path.parent.name, path.name
    return path, "*", "*"


def _folders(root: Path, path: Path) -> list[str]:
    """Names of the folders in a folder of a tree, including links inside the tree; names that are not text are skipped."""
    return [name for name in names(root, path) if name.isprintable() and is_folder(root, path / name)]


def read_result(round_: Round, place: Place) -> Result:
    """Read all files of a result; missing and broken ones are reported as remarks.

    Parameters
    ----------
    place
        Where it is in the tree.

    Returns
    -------
    Result
        Its figures: the value in the scenario's unit, mAP in percent, the 99th percentile in ms.
    """
    found = Result(round_, place)
    found.description = _object(place.system_file, found)
    scenario = round_.find_scenario(place.scenario)
    if scenario is None:
        found.remarks.append(f"{place.results}: {place.scenario} is not a scenario of the round")
    log = _last_run(found, scenario)
    found.settings = {**log.asked(), **{name: str(log.values.get(name, "")) for name in ("loadgen_version", "test_datetime")}}
    found.figures = {key: value for key, value in log.values.items() if key.startswith(("result_", "early_stopping_"))}
    samples = log.values.get("loaded_qsl_set")
    found.samples = [int(each) for each in samples if isinstance(each, int)] if isinstance(samples, list) else []
    with suppress(UnreadableError):
        found.summary = read_summary(place.performance / SUMMARY, place.root)
    found.valid = log.values.get("result_validity") == "VALID" and not log.cut
    if scenario is not None and not log.cut:
        _value(found, scenario, log)
    if (latency := log.number(log.latency_key(0.99))) is not None and math.isfinite(latency):
        found.p99_ms = latency / 1e6
    _accuracy(place, found)
    _measurements(place, found)
    for test in round_.submission.tests:
        if is_folder(place.root, place.compliance / test):
            found.compliance[test] = _verdict(place.compliance / test, found)
    return found


def _last_run(found: Result, scenario: Scenario | None) -> Detail:
    """The log of the last performance run, which the round's checker uses for the result."""
    folders = run_folders(found.place, scenario, found.round)
    return _detail(folders[-1] if folders else found.place.performance, found)


def run_folders(place: Place, scenario: Scenario | None, round_: Round) -> list[Path]:
    """The existing performance runs of a result: one, or as many as the round requires.

    The rounds' checkers only search for several if the folder is spelled as in the rules.

    Parameters
    ----------
    scenario
        None if the round does not have the scenario of the result.
    """
    several = scenario is not None and (round_.import_only or place.scenario == scenario.name)
    numbers = range(1, (scenario.runs if scenario and several else 1) + 1)
    folders = [place.results / "performance" / f"run_{number}" for number in numbers]
    return [folder for folder in folders if is_folder(place.root, folder)]


def _value(found: Result, scenario: Scenario, log: Detail) -> None:
    """Store the result: that of the log, or the one inferred from another scenario's log."""
    inference = scenario.inference(log.values.get("effective_scenario"))
    raw = inference.raw(log) if inference else log.number(scenario.result_key)
    per = scenario.divisor if not inference or inference.kind == "latency" else 1
    finite = raw is not None and math.isfinite(raw)
    found.value, found.unit = round(raw / per, scenario.digits) if raw is not None and finite else None, scenario.unit
    found.inferred = inference is not None
    if not finite and log.values:
        what = "is missing" if raw is None else "is not finite"
        found.remarks.append(f"{found.place.performance / log.file}: {scenario.result_key} {what}")


def _accuracy(place: Place, found: Result) -> None:
    path = place.accuracy / "accuracy.txt"
    try:
        found.mAP = read_accuracy(path, place.root).mAP
    except UnreadableError as error:
        found.remarks.append(error.what)
        return
    if found.mAP is None:
        found.remarks.append(f"{path}: no line mAP=…%")


def measurement_file(place: Place) -> Path | None:
    """The JSON of the measurement, named after the system; of several, the one named after the scenario."""
    listed = [
        name for name in names(place.root, place.measurements) if name.endswith(".json") and name.startswith(place.system)
    ]
    chosen = next((name for name in listed if name.endswith(f"_{place.scenario}.json")), listed[0] if listed else None)
    return place.measurements / chosen if chosen else None


def _measurements(place: Place, found: Result) -> None:
    if path := measurement_file(place):
        found.measurement = _object(path, found)
    try:
        found.user_conf = read_text(place.measurements / "user.conf", place.root, SMALL)
    except UnreadableError as error:
        found.remarks.append(error.what)


def _detail(folder: Path, found: Result) -> Detail:
    try:
        log = found.round.read_run(folder, found.place.root)
    except UnreadableError as error:
        found.remarks.append(error.what)
        return Detail()
    path = folder / log.file
    if log.cut:
        line = next(line for line, _ in log.broken if line)
        found.remarks.append(f"{path}: line {line} cannot be read: the log was truncated or edited")
    elif not log.values:
        found.remarks.append(f"{path} has no event of LoadGen")
    return log


def _object(path: Path, found: Result) -> dict[str, object]:
    try:
        content = parse_json(read_text(path, found.place.root, SMALL))
    except UnreadableError as error:
        found.remarks.append(error.what)
        return {}
    except (ValueError, RecursionError) as error:
        found.remarks.append(f"{path} is not JSON: {error}")
        return {}
    if not isinstance(content, dict):
        found.remarks.append(f"{path} is not an object")
        return {}
    return content


def _verdict(folder: Path, found: Result) -> str:
    """The output in the files of a compliance test; TEST04-B is verified in the file of TEST04-A."""
    texts = []
    for name in ("verify_performance.txt", "verify_accuracy.txt"):
        with suppress(UnreadableError):
            texts.append(read_text(folder / name, found.place.root, SMALL))
    if not texts:
        if folder.name != "TEST04-B":
            found.remarks.append(f"{folder}: no verification")
        return "logs"
    if all("TEST PASS" in text for text in texts):
        return "pass"
    return "pass" if "TEST PASS" in texts[0] and falls_back(found.round, folder / "accuracy", found.place.root) else "fail"


def falls_back(round_: Round, folder: Path, inside: Path | None = None) -> bool:
    """Whether TEST01 passes by mAP: for the same samples, from the accuracy run and from the test.

    Parameters
    ----------
    folder
        The folder of the test's files in the tree.
    inside
        The folder that the files must be in; `folder` by default.
    """
    try:
        before = read_accuracy(folder / BASELINE, inside or folder).mAP
        after = read_accuracy(folder / FALLBACK, inside or folder).mAP
    except UnreadableError:
        return False
    return bool(before and after and abs(before - after) <= round_.submission.fallback_map * before)

"""A submission tree: where each result is, and what its files say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.errors import NotFoundError
from ck_repo.rounds.logs import Detail, read_accuracy, read_detail, read_summary, read_text
from ck_repo.rounds.round import Round
from ck_repo.store.entry import parse_json
from ck_repo.store.plain_file import UnreadableError, is_folder, names

DIVISIONS = ("closed", "open")
DETAIL, SUMMARY = "mlperf_log_detail.txt", "mlperf_log_summary.txt"
SMALL = 4 << 20  # bytes of a text that a person or a script wrote
BASELINE, FALLBACK = "baseline_accuracy.txt", "compliance_accuracy.txt"  # of TEST01, where its answers are not the same bits


@dataclass(frozen=True)
class Place:
    """Where a result is in a tree, and whose it is.

    Attributes
    ----------
    root
        The folder that holds the divisions.
    model, scenario
        As the folders are called.
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
        """Whose result it is, as data."""
        names = ("division", "submitter", "system", "model", "scenario")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return "/".join(self.identity().values())


@dataclass
class Result:
    """What the files of a result say.

    Attributes
    ----------
    value, unit
        The figure of the scenario: ms, samples/s, queries/s or samples/query; None if the log does not give it.
    mAP
        In percent, as accuracy.txt prints it; None if it does not.
    p99_ms
        99th percentile of a query's latency, ms.
    description
        The system's JSON.
    settings
        What LoadGen was told for the performance run, by names of TestSettings, and the version of LoadGen.
    figures
        All `result_…` values of the performance log.
    summary
        The lines of its summary.
    compliance
        By test: the verdict that its files print.
    remarks
        What is missing or cannot be read, each with its file.
    """

    round: Round
    place: Place
    value: float | None = None
    unit: str = ""
    valid: bool = False
    mAP: float | None = None
    p99_ms: float | None = None
    description: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, str] = field(default_factory=dict)
    measurement: dict[str, Any] = field(default_factory=dict)
    user_conf: str = ""
    compliance: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def find_results(path: Path) -> list[Place]:
    """Every result of a tree, in order; `path` is its root, a division or one submitter's folder.

    Raises
    ------
    NotFoundError
        If there is none; the message tells the layout that is looked for.
    """
    path = Path(os.path.realpath(path.expanduser()))
    if not os.path.isdir(path):
        raise NotFoundError(f"{path} is not a folder that is there")
    root, division, submitter = path, "*", "*"
    if path.name in DIVISIONS and not any((path / name).is_dir() for name in DIVISIONS):
        root, division = path.parent, path.name
    elif (path / "results").is_dir() and path.parent.name in DIVISIONS:
        root, division, submitter = path.parents[1], path.parent.name, path.name
    places = []
    for part in DIVISIONS if division == "*" else (division,):
        for who in _folders(root, root / part) if submitter == "*" else (submitter,):
            places += list(_of_submitter(root, part, who))
    if not places:
        raise NotFoundError(f"{path} holds no result", hint="looked for (closed|open)/SUBMITTER/results/SYSTEM/MODEL/SCENARIO/")
    return places


def _of_submitter(root: Path, division: str, submitter: str) -> Iterator[Place]:
    base = root / division / submitter / "results"
    for system in _folders(root, base):
        for model in _folders(root, base / system):
            for scenario in _folders(root, base / system / model):
                yield Place(root, division, submitter, system, model, scenario)


def _folders(root: Path, path: Path) -> list[str]:
    """Names of the folders in a folder of a tree; links are not followed, and names that are not text name no result."""
    found = (name for name in names(root, path) if name[0] != "." and name.isprintable())
    return [name for name in found if not (path / name).is_symlink() and is_folder(root, path / name)]


def read_result(round_: Round, place: Place) -> Result:
    """Read all files of a result; what is missing or broken is remarked, not fatal."""
    found = Result(round_, place)
    found.description = _object(place.system_file, found)
    scenario = round_.find_scenario(place.scenario)
    if scenario is None:
        found.remarks.append(f"{place.results}: {place.scenario} is no scenario of the round")
    log = _detail(place.performance / DETAIL, found)
    found.settings = {**log.asked(), **{name: str(log.values.get(name, "")) for name in ("loadgen_version", "test_datetime")}}
    found.figures = {key: value for key, value in log.values.items() if key.startswith("result_")}
    with suppress(UnreadableError):
        found.summary = read_summary(place.performance / SUMMARY, place.root)
    found.valid = log.values.get("result_validity") == "VALID"
    if scenario is not None and not log.broken:
        found.value, found.unit = scenario.figure(log.number(scenario.result_key)), scenario.unit
        if found.value is None and log.values:
            found.remarks.append(f"{place.performance / DETAIL}: {scenario.result_key} is missing")
    elif log.broken:
        found.valid = False
    if (latency := log.number(log.latency_key(0.99))) is not None:
        found.p99_ms = latency / 1e6
    _accuracy(place, found)
    _measurements(place, found)
    for test in round_.submission.tests:
        if is_folder(place.root, place.compliance / test):
            found.compliance[test] = _verdict(place.compliance / test, found)
    return found


def _accuracy(place: Place, found: Result) -> None:
    path = place.accuracy / "accuracy.txt"
    try:
        found.mAP = read_accuracy(path, place.root).mAP
    except UnreadableError as error:
        found.remarks.append(error.what)
        return
    if found.mAP is None:
        found.remarks.append(f"{path}: no line mAP=…%")


def _measurements(place: Place, found: Result) -> None:
    for name in names(place.root, place.measurements):
        if name.endswith(".json") and name.startswith(place.system):
            found.measurement = _object(place.measurements / name, found)
    try:
        found.user_conf = read_text(place.measurements / "user.conf", place.root, SMALL)
    except UnreadableError as error:
        found.remarks.append(error.what)


def _detail(path: Path, found: Result) -> Detail:
    try:
        log = read_detail(path, found.place.root)
    except UnreadableError as error:
        found.remarks.append(error.what)
        return Detail()
    if log.broken:
        found.remarks.append(f"{path}: line {log.broken[0]} cannot be read: the log was cut short or edited")
    elif not log.values:
        found.remarks.append(f"{path} holds no event of LoadGen")
    return log


def _object(path: Path, found: Result) -> dict[str, Any]:
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
    """What the files of a compliance test print; TEST04-B is judged in the file of TEST04-A."""
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
    """Whether TEST01 passes by mAP: of the same samples, from the accuracy run and from the test."""
    try:
        before = read_accuracy(folder / BASELINE, inside or folder).mAP
        after = read_accuracy(folder / FALLBACK, inside or folder).mAP
    except UnreadableError:
        return False
    return bool(before and after and abs(before - after) <= round_.submission.fallback_map * before)

"""The whole tree: every result, every system, and what else is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.rounds.check.accuracy import check_accuracy
from ck_repo.rounds.check.compliance import check_compliance
from ck_repo.rounds.check.finding import Checked, Finding, finding
from ck_repo.rounds.check.measurements import check_measurements
from ck_repo.rounds.check.performance import check_performance
from ck_repo.rounds.check.power import check_power
from ck_repo.rounds.check.system import check_system, system_type
from ck_repo.rounds.round import Round
from ck_repo.rounds.rules import rules_for
from ck_repo.rounds.submission import Place, find_results
from ck_repo.store.plain_file import A_FOLDER, A_LINK, flaw, names, walk

_FOLDERS = (
    "systems",
    "results",
    "measurements",
    "code",
    "compliance",
    "calibration",
    "calibration.md",
    "README.md",
    "LICENSE.md",
)


@dataclass
class Report:
    """What a tree came to.

    Attributes
    ----------
    stray
        Findings that belong to no result.
    skipped
        Results of the round's other benchmarks, which are not looked at.
    """

    results: list[Checked] = field(default_factory=list)
    stray: list[Finding] = field(default_factory=list)
    skipped: list[Place] = field(default_factory=list)

    @property
    def rejected(self) -> list[Checked]:
        """Results that the round's checker rejects."""
        return [row for row in self.results if row.status == "rejected"]


def check_tree(round_: Round, path: Path) -> Report:
    """Check a tree, a division or one submitter's folder by the rules of a round."""
    report = Report()
    found = find_results(path)
    others = round_.submission.other_benchmarks
    places = [row for row in found if row.model.lower() not in others]
    report.skipped = [row for row in found if row.model.lower() in others]
    systems: dict[Path, tuple[dict[str, Any], list[Finding]]] = {}
    with progress.task("checking results", len(places), "results") as task:
        for number, place in enumerate(places, 1):
            if place.system_file not in systems:
                systems[place.system_file] = _system(round_, place)
            report.results.append(_result(round_, place, *systems[place.system_file]))
            task.advance_to(number)
    _scenarios(round_, report.results)
    report.stray = list(_stray(round_, places, systems))
    return report


def _system(round_: Round, place: Place) -> tuple[dict[str, Any], list[Finding]]:
    found: list[Finding] = []

    def add(rule: str, file: Path, expected: object, seen: object, line: int) -> None:
        found.append(finding(round_, rule, file, expected, seen, line))

    rules = round_.submission
    return check_system(rules, place.system_file, place.root, place.division, place.submitter, add), found


def _result(round_: Round, place: Place, system: dict[str, Any], findings: Sequence[Finding]) -> Checked:
    row = Checked(round_, place, round_.benchmark_called(place.model), system=system, findings=list(findings))
    if not row.benchmark:
        row.add("model", place.results, "a model of the round", place.model)
        return row
    rules = rules_for(round_, row.benchmark)
    scenario = round_.find_scenario(place.scenario, row.benchmark)
    if scenario is None or scenario.name != round_.folder_scenario(place.scenario):
        row.add("scenario", place.results, _or([each.name for each in rules.scenarios.values()]), place.scenario)
        if scenario is None:
            return row
    log = check_performance(row, rules, scenario)
    check_accuracy(row, rules)
    check_measurements(row, rules)
    check_compliance(row, scenario, log)
    check_power(row, scenario, log)
    return row


def _or(names: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _scenarios(round_: Round, rows: Sequence[Checked]) -> None:
    """Which scenarios a system has to have, and may have, for a model: in the closed division."""
    allowed = round_.submission.scenarios
    groups: dict[tuple[str, ...], list[Checked]] = {}
    for row in rows:
        if row.place.division == "closed" and row.benchmark:
            groups.setdefault((row.place.submitter, row.place.system, row.place.model), []).append(row)
    for group in groups.values():
        kind = system_type(group[0].system)
        if kind not in allowed:  # told with the system's description
            continue
        wanted = allowed[kind].get(group[0].benchmark)
        have = {round_.folder_scenario(row.place.scenario) for row in group}
        for row in group:
            if wanted is None:
                row.add("scenario-allowed", row.place.results, f"a model of {kind}", row.place.model)
                continue
            if round_.folder_scenario(row.place.scenario) not in (*wanted.required, *wanted.optional):
                row.add("scenario-allowed", row.place.results, f"a scenario of {kind}", row.place.scenario)
            for name in wanted.required:
                if name not in have:
                    row.add("scenario-required", row.place.results.parent / name, f"a result of {name} for {kind}", "none")


def _stray(round_: Round, places: Sequence[Place], systems: Iterable[Path]) -> Iterable[Finding]:
    """Folders of a submitter that the rules do not name, and systems without a result."""
    known = set(systems)
    roots = {place.submission: place.root for place in places}
    for submission in sorted(roots):
        root = roots[submission]
        for name in names(root, submission):
            if name not in _FOLDERS and not name.startswith("."):
                yield finding(round_, "stray", submission / name, "a folder that the rules name", name)
        for path in (submission / "systems" / name for name in names(root, submission / "systems") if name.endswith(".json")):
            results = submission / "results" / path.stem
            if path not in known and not any(names(root, results / model) for model in names(root, results)):
                yield finding(round_, "stray", path, "a result of the system", "none")
        for row in walk(submission):
            why = flaw(root, submission / row.name) if row.flaw == A_LINK else row.flaw
            if why and why != A_FOLDER:  # a link to a folder of the tree
                yield finding(round_, "plain-files", submission / row.name, "plain files of the tree", why)

"""The complete tree: every result, every system, and its other content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import NotFoundError, UsageError
from ck_repo.rounds.check.accuracy import check_accuracy
from ck_repo.rounds.check.compliance import check_compliance
from ck_repo.rounds.check.finding import Checked, Finding, finding
from ck_repo.rounds.check.measurements import check_measurements
from ck_repo.rounds.check.other_round import RoundsSeen, other_round
from ck_repo.rounds.check.performance import check_performance, check_zero
from ck_repo.rounds.check.power import check_power
from ck_repo.rounds.check.stray import stray
from ck_repo.rounds.check.system import check_system, system_type
from ck_repo.rounds.round import Round
from ck_repo.rounds.rules import rules_for
from ck_repo.rounds.submission import LAYOUT, Folder, Place, find_systems
from ck_repo.rounds.submission_rules import FOLDER, REJECTED, REPORTED


@dataclass
class Report:
    """The report on a tree.

    Attributes
    ----------
    folders
        Findings about folders without valid results; the round's checker rejects the tree for each.
    stray
        Other findings that do not belong to a result.
    skipped
        Results of the round's other benchmarks, which are not checked.
    rounds
        The rounds of the logs.
    """

    results: list[Checked] = field(default_factory=list)
    folders: list[Finding] = field(default_factory=list)
    stray: list[Finding] = field(default_factory=list)
    skipped: list[Place] = field(default_factory=list)
    rounds: RoundsSeen = field(default_factory=RoundsSeen)

    @property
    def rejected(self) -> list[Checked]:
        """Rejected results."""
        return [row for row in self.results if row.status == REJECTED]

    @property
    def officially_rejected(self) -> list[Checked]:
        """The results that the round's own checker omits from its summary."""
        return [row for row in self.results if row.official_status == REJECTED]

    @property
    def officially_empty(self) -> list[str]:
        """Folders that the round's own checker counts as without results, in addition to those of rejected results."""
        found = [each.file for each in self.folders]
        found += [each.file for row in self.results for each in row.findings if each.official == FOLDER]
        return list(dict.fromkeys(found))


def check_tree(round_: Round, path: Path, *, submitter: str = "", skip_compliance: bool = False) -> Report:
    """Check a tree, a division or one submitter's folder against the rules of a round.

    Parameters
    ----------
    submitter
        Only this submitter's results.
    skip_compliance
        Skip the compliance tests.

    Raises
    ------
    NotFoundError
        If there is no result, or none of the submitter.
    UsageError
        If the round's trees have another layout.
    """
    if round_.import_only:
        raise UsageError(
            f"trees of round {round_} have another layout and are not checked",
            hint=f"`ck import submission --path={path} --round={round_}` imports their logs",
        )
    report = Report()
    systems = [row for row in find_systems(path) if submitter in ("", row.submitter)]
    places = sum(len(model.below) for row in systems for model in row.models())
    if not places:
        whose = f" of {submitter}" if submitter else ""
        raise NotFoundError(f"{path.expanduser()} has no result{whose}", hint=LAYOUT)
    with progress.task("checking results", places, "results") as task:
        for row in systems:
            _system(round_, report, row, skip_compliance)
            task.advance_to(len(report.results) + len(report.skipped))
    roots = {row.path.parents[1]: row.root for row in systems}
    report.stray = list(stray(round_, roots, {row.system_file for row in systems}))
    report.stray += report.rounds.findings(round_, places)
    return report


def _system(round_: Round, report: Report, folder: Folder, skip_compliance: bool) -> None:
    """Check the models of a system."""
    findings: list[Finding] = []
    path = folder.system_file

    def add(rule: str, file: Path, expected: object, seen: object, line: int) -> None:
        findings.append(finding(round_, rule, file, expected, seen, line))

    about = check_system(round_.submission, path, folder.root, folder.division, folder.submitter, add)
    models = folder.models()
    if not models and any(each.official == REJECTED for each in findings):
        report.folders.append(
            finding(round_, "system-missing", folder.path, f"results of a system that {path.name} describes", "none")
        )
    for model in models:
        benchmark = round_.benchmark_of_folder(model.model)
        places = model.places()
        if benchmark == "":
            report.skipped += places
            continue
        rows = [_result(round_, report, place, about, findings, benchmark, skip_compliance) for place in places]
        _scenarios(round_, report, model.path, about, benchmark, rows, folder.division)
        report.results += rows


def _result(
    round_: Round,
    report: Report,
    place: Place,
    system: Mapping[str, object],
    findings: Sequence[Finding],
    benchmark: str | None,
    skip_compliance: bool,
) -> Checked:
    row = Checked(round_, place, benchmark or "", system=system, findings=list(findings))
    if not benchmark:
        row.add("model", place.results, "a model of the round", place.model)
        return row
    rules = rules_for(round_, benchmark)
    name = round_.folder_scenario(place.scenario)
    scenario = next((each for each in rules.scenarios.values() if each.name == name), None)
    if scenario is None:
        official = REPORTED if row.open else REJECTED
        row.add(
            "scenario", place.results, _or([each.name for each in rules.scenarios.values()]), place.scenario, official=official
        )
        return row
    log = check_performance(row, rules, scenario)
    other_round(row, log, report.rounds)
    check_accuracy(row, rules)
    check_measurements(row, rules)
    if not skip_compliance:
        logged = log.values.get("effective_scenario") if log else None
        check_compliance(row, next((each for each in rules.scenarios.values() if each.name == logged), scenario), log)
    check_power(row, scenario, log)
    check_zero(row, log)
    return row


def _or(names: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _scenarios(
    round_: Round,
    report: Report,
    path: Path,
    system: Mapping[str, object],
    benchmark: str | None,
    rows: Sequence[Checked],
    division: str,
) -> None:
    """Check which scenarios a system must and may have for a model, in the closed division."""
    kind = system_type(system)
    if kind not in round_.submission.scenarios:  # reported with the system's description
        return
    wanted = round_.submission.scenarios[kind].get(benchmark or "")
    if benchmark is None or wanted is None:
        if not rows:
            report.folders.append(finding(round_, "model-empty", path, f"a model of {kind}", path.name))
        for row in rows if benchmark is not None else ():
            row.add("scenario-allowed", row.place.results, f"a model of {kind}", row.place.model)
        return
    if division == "open":
        return
    have = {round_.folder_scenario(row.place.scenario) for row in rows}
    for row in rows:
        if round_.folder_scenario(row.place.scenario) not in (*wanted.required, *wanted.optional):
            row.add("scenario-allowed", row.place.results, f"a scenario of {kind}", row.place.scenario)
        for name in wanted.required:
            if name not in have:
                row.add("scenario-required", row.place.results.parent / name, f"a result of {name} for {kind}", "none")
    if not rows:
        report.folders.append(finding(round_, "model-empty", path, f"results of {_or(wanted.required)}", "none"))

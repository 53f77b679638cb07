"""The performance log of a result, and the result in it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from ck_repo.contract.logs import DETAIL, Detail
from ck_repo.rounds.check.file_list import check_files
from ck_repo.rounds.check.finding import ACCEPTED, Checked
from ck_repo.rounds.check.settings import check_settings
from ck_repo.rounds.logs import BOTH_MODES
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission_rules import REJECTED, REPORTED
from ck_repo.store.plain_file import UnreadableError, is_folder

_SCENARIO = "effective_scenario"


def read_log(
    folder: Path, row: Checked, rule: str, *, empty: str = "", broken: str = "", missing: str = "", figures: bool = True
) -> Detail | None:
    """The log of a run; None if it is not there, or has nothing to read.

    Parameters
    ----------
    empty, broken, missing
        What the round's own checker does with a log without events, one that it cannot read, and none.
    figures
        As `Round.read_run` takes it.
    """
    try:
        log = row.round.read_run(folder, row.place.root, figures=figures)
    except UnreadableError as error:
        row.add(rule, folder / DETAIL, "LoadGen's detail log", error.why, official=missing)
        return None
    path = folder / log.file
    if log.broken:
        line, why = log.broken[0]
        row.add(rule, path, "events of LoadGen", why, line, official=broken)
    if not log.values:
        none = "none" if row.round.text_log is None else f"none as text, which LoadGen {row.round.loadgen_of_round} writes"
        row.add(rule, path, "events of LoadGen", none, official=empty)
        return None
    return log


def check_performance(row: Checked, rules: Rules, scenario: Scenario) -> Detail | None:
    """Check the performance runs.

    If the round requires several runs, one VALID run is sufficient, and the result is that of the last.

    Parameters
    ----------
    row
        The result, which gets findings, its value and unit.
    scenario
        The scenario whose rules apply: that of the folder, or the one that its result is inferred from.

    Returns
    -------
    Detail or None
        The log with the result; None if no run has one.
    """
    base = row.place.results / "performance"
    count = scenario.runs if row.place.scenario == scenario.name else 1
    if count == 1:
        return _check_run(row, rules, scenario, base / "run_1")
    runs: list[tuple[Checked, Detail | None]] = []
    for number in range(1, count + 1):
        folder = base / f"run_{number}"
        if not is_folder(row.place.root, folder):
            row.add("run", folder, f"{count} runs", "no such folder")
            continue
        run = replace(row, findings=[], value=None)
        runs.append((run, _check_run(run, rules, scenario, folder)))
    passed = any(run.status == ACCEPTED for run, _ in runs)
    officially = any(run.official_status == ACCEPTED for run, _ in runs)
    for run, _ in runs:
        for each in run.findings:
            if passed and each.severity == REJECTED:
                row.add("run", Path(each.file), each.expected, each.seen, each.line)
            else:
                row.findings.append(replace(each, official=REPORTED) if officially else each)
    if not runs:
        row.add("performance-log", base / "run_1", "LoadGen's detail log", "no such folder")
    for run, log in reversed(runs):
        if run.value is not None:
            row.value, row.unit, row.inferred = run.value, run.unit, run.inferred
            return log
    return None


def _check_run(row: Checked, rules: Rules, scenario: Scenario, folder: Path) -> Detail | None:
    wanted = row.round.submission.performance_files
    check_files(row, folder, wanted, optional=row.round.submission.power.optional_files, unchecked=(DETAIL, "spl.txt"))
    log = read_log(folder, row, "performance-log")
    if log is None:
        return None
    path = folder / log.file

    def at(key: str) -> int:
        return log.lines.get(key, 0)

    for key in row.round.submission.log_values:
        if key in log.no_value:
            row.add("setting", path, f"a value of {key}", "none", at(key))
    ruled = _ruled(row, log, path, rules, scenario)
    if log.values.get("effective_test_mode") not in ("PerformanceOnly", BOTH_MODES):
        seen = log.values.get("effective_test_mode", "none")
        row.add("test-mode", path, "PerformanceOnly", seen, at("effective_test_mode"))
    if log.values.get("result_validity") != "VALID":
        row.add("valid", path, "VALID", log.values.get("result_validity", "no result"), at("result_validity"))
    for line, text in log.errors[:1]:
        row.add("errors", folder / DETAIL, "no event with is_error", f"{len(log.errors)}, the first: {text}", line)
    if ruled is None:
        return log
    _figure(row, log, path, scenario, ruled)
    check_settings(row, log, path, rules, ruled)
    return log


def _ruled(row: Checked, log: Detail, path: Path, rules: Rules, scenario: Scenario) -> Scenario | None:
    """The scenario whose rules apply to the log: its own, which differs if the result is inferred."""
    logged = log.values.get(_SCENARIO)
    if logged == scenario.name:
        return scenario
    row.inferred = scenario.inference(logged) is not None
    known = next((each for each in rules.scenarios.values() if each.name == logged), None)
    if not row.inferred:
        seen = "none" if logged is None else logged
        row.add("scenario", path, scenario.name, seen, log.lines.get(_SCENARIO, 0), official=REPORTED if known else REJECTED)
    return known


def _figure(row: Checked, log: Detail, path: Path, scenario: Scenario, ruled: Scenario) -> None:
    """Store the result; 0, a missing or an invalid number is not a result."""
    own = log.number(ruled.result_key)
    row.value, row.unit = ruled.figure(own), scenario.unit
    _missing_figure(row, log, path, ruled.result_key, own)
    inference = scenario.inference(ruled.name) if row.inferred else None
    if inference:
        raw = inference.raw(log)
        per = scenario.divisor if inference.kind == "latency" else 1
        row.value = None if raw is None else raw / per
        if raw is None:
            line = log.lines.get(inference.key, 0)
            seen = log.values.get(inference.key, "no such key")
            row.add("inferred", path, f"{inference.key}, from which {scenario.name} follows", seen, line)


def _missing_figure(row: Checked, log: Detail, path: Path, key: str, number: float | None) -> None:
    seen = repr(log.values[key]) if key in log.values else "no such key"
    line = log.lines.get(key, 0)
    if number is None:
        row.add("result", path, f"a number as {key}", seen, line)
    elif not math.isfinite(number):
        row.add("result", path, f"a finite number as {key}", seen, line, official=REPORTED)


def check_zero(row: Checked, log: Detail | None) -> None:
    """A result of 0 is invalid; the official checkers miss it if there is a power result.

    Parameters
    ----------
    log
        The log with the result, which the finding names; None if there is none.
    """
    if row.value == 0 and log is not None:
        path = row.place.performance / log.file
        row.add("result", path, "a number other than 0", "0", official=REPORTED if row.power else "")

"""The compliance tests of a result; all have to pass."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ck_repo.contract.logs import DETAIL, SUMMARY, Detail
from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.compliance import judge_performance
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission import SMALL, falls_back
from ck_repo.rounds.submission_rules import ComplianceTest
from ck_repo.store.plain_file import UnreadableError, is_folder

_PASS = "TEST PASS"


def check_compliance(row: Checked, scenario: Scenario, reference: Detail | None) -> None:
    """Check every test that the scenario has to pass; the open division needs none.

    Parameters
    ----------
    scenario
        The scenario of the log that the tests are compared with.
    """
    if row.place.division != "closed":
        return
    logs: dict[str, Detail] = {}
    for test in row.round.submission.tests.values():
        if scenario.name in test.not_for:
            continue
        log = _test(row, test)
        if log:
            logs[test.name] = log
    _performance(row, scenario, reference, logs)


def _test(row: Checked, test: ComplianceTest) -> Detail | None:
    folder = row.place.compliance / test.name
    if not is_folder(row.place.root, folder):
        row.add("compliance-missing", folder, f"the files of {test.name}", "no such folder")
        return None
    run = folder / "performance" / "run_1"
    wanted = [run / SUMMARY]
    if test.name != "TEST04-B":  # A and B are verified in one file
        wanted.append(folder / "verify_performance.txt")
    if test.verifies_accuracy:
        wanted += [folder / "verify_accuracy.txt", folder / "accuracy" / "accuracy.txt"]
    for path in wanted:
        row.needs("compliance-missing", path)
    _verdicts(row, folder, test)
    return _log(row, run, test)


def _verdicts(row: Checked, folder: Path, test: ComplianceTest) -> None:
    """The output of the verification."""
    root = row.place.root
    with suppress(UnreadableError):  # missing files are reported already
        path = folder / "verify_performance.txt"
        if _PASS not in (text := read_text(path, root, SMALL)):
            row.add("compliance-performance", path, _PASS, _last(text))
    with suppress(UnreadableError):
        path = folder / "verify_accuracy.txt"
        if (
            test.verifies_accuracy
            and _PASS not in (text := read_text(path, root, SMALL))
            and not falls_back(row.round, folder / "accuracy", root)
        ):
            row.add("compliance-accuracy", path, f"{_PASS}, or both mAPs within 1 %", _last(text))


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:120] if lines else "an empty file"


def _log(row: Checked, folder: Path, test: ComplianceTest) -> Detail | None:
    """The log of a test; an unreadable line only matters where it hides a required value."""
    path = folder / DETAIL
    try:
        log = row.round.read_run(folder, row.place.root)
    except UnreadableError as error:
        row.add("compliance-missing", path, "the log", error.why)
        return None
    if not log.values:
        line, seen = log.broken[0] if log.broken else (0, "none")
        row.add("compliance-performance", path, "events of LoadGen", seen, line)
        return None
    path = folder / log.file
    # TEST04 issues each sample once, or one sample: too few queries for LoadGen's VALID
    if not test.name.startswith("TEST04") and log.values.get("result_validity") != "VALID":
        line, missing = log.broken[0] if log.broken else (0, "no result")
        line = log.lines.get("result_validity", line)
        row.add("compliance-performance", path, "VALID", log.values.get("result_validity", missing), line)
    for name, value in test.settings.items():
        key = f"effective_{name}"
        if log.values.get(key) != value:
            row.add("compliance-settings", path, f"{key} {value}", log.values.get(key, "no such key"), log.lines.get(key, 0))
    return log


def _performance(row: Checked, scenario: Scenario, reference: Detail | None, logs: dict[str, Detail]) -> None:
    """Compare the results in the logs, whatever the files of the verification say.

    If the performance run has another scenario, because the result is inferred, there is nothing to compare with.
    """
    base = reference.number(scenario.compliance_key) if reference else None
    logs = {name: log for name, log in logs.items() if log.values.get("effective_scenario") == scenario.name}
    figures = {name: log.number(scenario.compliance_key) for name, log in logs.items()}
    for name in ("TEST01", "TEST05"):
        if base and (seen := figures.get(name)) is not None:
            found = judge_performance(row.round.submission, name, scenario, base, seen, base)
            if not found.passed:
                _apart(row, name, scenario, f"within {100 * found.bound:g} % of {base:g}", seen, logs[name])
    a, b = figures.get("TEST04-A"), figures.get("TEST04-B")
    if a is not None and b is not None:
        found = judge_performance(row.round.submission, "TEST04", scenario, a, b, base or a)
        if not found.passed:
            text = f"not faster than TEST04-A ({a:g}) by more than {100 * found.bound:g} %"
            _apart(row, "TEST04-B", scenario, text, b, logs["TEST04-B"])
    for name, log in logs.items():
        if figures[name] is None:
            path = row.place.compliance / name / "performance" / "run_1" / DETAIL
            row.add(
                "compliance-performance",
                path,
                f"a number as {scenario.compliance_key}",
                log.values.get(scenario.compliance_key, "none"),
            )


def _apart(row: Checked, test: str, scenario: Scenario, expected: str, seen: float, log: Detail) -> None:
    path = row.place.compliance / test / "performance" / "run_1" / DETAIL
    row.add(
        "compliance-performance",
        path,
        f"{scenario.compliance_key} {expected}",
        f"{seen:g}",
        log.lines.get(scenario.compliance_key, 0),
    )

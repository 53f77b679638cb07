"""Run and verify all compliance tests of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.environment.lockfile import lock_of_experiment
from ck_repo.environment.venv import chosen_name, find_venv
from ck_repo.errors import RunError, UsageError
from ck_repo.experiments.meta import read_experiment
from ck_repo.rounds.compliance import Verification, invalid, verify_accuracy, verify_performance
from ck_repo.rounds.logs import read_accuracy, read_text
from ck_repo.rounds.round import Round, load_round
from ck_repo.rounds.submission import BASELINE, FALLBACK, falls_back
from ck_repo.run.harness import rescore
from ck_repo.run.options import MEASURED, RunOptions
from ck_repo.run.pipeline import RunRecord, execute, harness_of
from ck_repo.run.prepare import prepare
from ck_repo.run.recorded_options import options_of
from ck_repo.session import Session
from ck_repo.store.atomic import write_text
from ck_repo.store.entry import Entry
from ck_repo.store.folders import tools_root
from ck_repo.store.work import scratch_folder
from ck_repo.store.writing import update_entry

_DETAIL = "performance/mlperf_log_detail.txt"
_ANSWERS = "performance/mlperf_log_accuracy.json"
_ACCURACY = "accuracy/mlperf_log_accuracy.json"
Run = Callable[[RunOptions, Mapping[str, Any]], RunRecord]  # options, additional keys of the experiment
Rescore = Callable[[Entry, Entry, Path], None]  # reference, test, folder for the two texts; RunError on failure


@dataclass(frozen=True)
class AuditedTest:
    """A test with its verdict.

    Attributes
    ----------
    experiment
        Of the test's run; for TEST04 that of A, whose folder has the verdict on both.
    texts
        The output of the verification, by file.
    remark
        If the answers are not bitwise equal: the comparison of their mAPs.
    """

    name: str
    passed: bool
    experiment: Entry
    texts: dict[str, str]
    remark: str = ""


def tests_for(round_: Round, scenario: str) -> list[str]:
    """The compliance tests that a scenario has to pass in a round.

    Raises
    ------
    UsageError
        If the round has no such scenario.
    """
    return [name for name, row in round_.submission.tests.items() if round_.scenario(scenario).name not in row.not_for]


def audit_program(
    session: Session,
    program: Entry,
    options: RunOptions,
    reference: Entry | None = None,
    *,
    scenario: str = "",
    round_name: str = "",
    repository: str = "",
    tags: Sequence[str] = (),
) -> tuple[Entry, list[AuditedTest]]:
    """Run every compliance test of a program, each recorded as an experiment with the tag ``audit``.

    Parameters
    ----------
    options
        Options of the reference run; if a reference is given, its own options are used instead.
    scenario, round_name
        The user's values, if any: those of a reference have to be equal.
    repository, tags
        As for `execute`.

    Raises
    ------
    UsageError
        If the options or the reference do not fit an audit.
    CKError
        If a run fails.
    """
    if reference:
        given = options_of(lock_of_experiment(reference.path, read_experiment(reference).data), reference)
        if scenario and scenario != given.scenario:
            raise UsageError(f"{reference.cid} is a run of {given.scenario}, not of {scenario}", hint="omit --scenario=")
        if round_name and round_name != given.round:
            raise UsageError(f"{reference.cid} is a run of round {given.round}, not of {round_name}", hint="omit --round=")
        options = replace(given, venv=options.venv)

    def run(wanted: RunOptions, more: Mapping[str, Any]) -> RunRecord:
        plan = prepare(session, program, wanted, as_recorded=reference is not None)
        return execute(session, plan, repository=repository, tags=[*tags, "audit"], more=more)

    def score(base: Entry, test: Entry, folder: Path) -> None:
        venv = find_venv(session, chosen_name(options.venv))
        assert venv is not None  # the test ran in it
        logs = (base.path / _ACCURACY, test.path / _ANSWERS)
        rescore(venv.python, program.path, harness_of(program), test.path / "spec.json", logs, folder)

    return audit(options, run, score, reference)


def audit(options: RunOptions, run: Run, score: Rescore, reference: Entry | None = None) -> tuple[Entry, list[AuditedTest]]:
    """Run the reference (performance and accuracy) and every compliance test, and verify them.

    Parameters
    ----------
    options
        Options of the reference run; the tests only differ in LoadGen's settings.
    run
        Runs a benchmark and records it.
    score
        Scores the answers of TEST01 and those of the reference to the same samples.
    reference
        An experiment with performance and accuracy to compare the tests with, instead of a new run.

    Returns
    -------
    reference, tests
        Each test is an experiment whose parent is the reference; its folder has the files of the verification.

    Raises
    ------
    UsageError
        If the reference lacks accuracy or performance.
    """
    base = reference or run(replace(options, mode="both"), {}).experiment
    results = read_experiment(base).results
    if results is None or results.accuracy is None or results.performance is None:
        raise UsageError(
            f"{base.cid} has no accuracy or no performance to compare the tests with", hint="record it with --mode=both"
        )
    if not _is_valid(base):
        progress.say(f"note: {base.cid} is not VALID, so no test passes")
    # the tests use the layout of the reference: another one would be another system
    options = replace(options, **{key: getattr(results, key) for key in MEASURED})
    runs: dict[str, Entry] = {}
    round_ = load_round(options.round)
    for name in tests_for(round_, options.scenario):
        more = {"parent": {"uid": base.uid, "alias": base.alias, "module": base.module}}
        progress.say(f"{name}, compared with {base.cid}")
        runs[name] = run(replace(options, compliance=name, mode="performance"), more).experiment
    return base, [_verified(round_, name, options.scenario, base, runs, score) for name in runs if name != "TEST04-B"]


def _is_valid(base: Entry) -> bool:
    """Whether the performance run of an experiment is VALID."""
    results = read_experiment(base).results
    return bool(results and results.performance and results.performance.valid)


def _verified(round_: Round, name: str, scenario: str, base: Entry, runs: Mapping[str, Entry], score: Rescore) -> AuditedTest:
    """Verify a test and write the files that the rules require into its folder; TEST04-B is verified with A."""
    rules = round_.submission
    entry, label = runs[name], name.removesuffix("-A")
    logs = (entry.path, runs["TEST04-B"].path) if name == "TEST04-A" else (base.path, entry.path)
    reference, tested = (folder / _DETAIL for folder in logs)
    performance = verify_performance(round_, label, scenario, reference, tested)
    if not _is_valid(base):
        performance = invalid("Reference")
    found: dict[str, Verification] = {"verify_performance.txt": performance}
    passed, remark = performance.passed, ""
    if rules.tests[name].verifies_accuracy:
        found["verify_accuracy.txt"] = verify_accuracy(base.path / _ACCURACY, entry.path / _ANSWERS)
    for file, row in found.items():
        write_text(entry.path / file, row.text)
    files = list(found)
    if "verify_accuracy.txt" in found:
        same = found["verify_accuracy.txt"].passed
        remark = "" if same else _fallback(round_, base, entry, score)
        passed = passed and (same or falls_back(round_, entry.path))
        files += [file for file in (BASELINE, FALLBACK) if (entry.path / file).exists()]
    update_entry(entry, {"verified": {"passed": passed, "files": sorted(files)}})
    return AuditedTest(label, passed, entry, {file: row.text for file, row in found.items()}, remark)


def _fallback(round_: Round, base: Entry, test: Entry, score: Rescore) -> str:
    """Score both logs, if the answers are not bitwise equal; return the result as text."""
    try:
        with scratch_folder(tools_root(), "audit") as scratch:
            score(base, test, scratch)
            for file in (BASELINE, FALLBACK):
                write_text(test.path / file, read_text(scratch / file))
    except RunError as error:
        return f"not bitwise equal, and not scored: {error.what}"
    before, after = (read_accuracy(test.path / file).mAP for file in (BASELINE, FALLBACK))
    bound = 100 * round_.submission.fallback_map
    verdict = "within" if falls_back(round_, test.path) else "not within"
    text = f"on the same samples mAP {before} % before and {after} % in the test: {verdict} {bound:g} %"
    return f"not bitwise equal; {text}"

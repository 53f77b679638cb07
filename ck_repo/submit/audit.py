"""All compliance tests of a benchmark, run and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ck_repo.errors import UsageError
from ck_repo.mlperf.compliance import Verification, verify_accuracy, verify_performance
from ck_repo.mlperf.rules import scenario_rules
from ck_repo.mlperf.submission_rules import submission_rules
from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import RunRecord
from ck_repo.store.atomic import write_text
from ck_repo.store.entry import Entry
from ck_repo.store.writing import update_entry

_DETAIL = "performance/mlperf_log_detail.txt"
_ANSWERS = "performance/mlperf_log_accuracy.json"
_ACCURACY = "accuracy/mlperf_log_accuracy.json"
Run = Callable[[RunOptions, dict[str, Any]], RunRecord]  # options, further keys of the experiment


@dataclass(frozen=True)
class AuditedTest:
    """A test with its verdict.

    Attributes
    ----------
    experiment
        Of the test's run; of TEST04 that of A, in whose folder the verdict on both lies.
    texts
        What the verification printed, by file.
    """

    name: str
    passed: bool
    experiment: Entry
    texts: dict[str, str]


def tests_for(scenario: str) -> list[str]:
    """The tests that a scenario has to pass."""
    rules = scenario_rules(scenario)
    assert rules is not None
    return [name for name, row in submission_rules().tests.items() if rules.name not in row.not_for]


def audit(options: RunOptions, run: Run, reference: Entry | None = None) -> tuple[Entry, list[AuditedTest]]:
    """Run the reference (performance and accuracy) and every compliance test, and verify them.

    Parameters
    ----------
    options
        Of the reference run; the tests differ from it by their settings alone.
    run
        Runs a benchmark and records it.
    reference
        An experiment with performance and accuracy to hold the tests against, instead of a new run.

    Returns
    -------
    reference, tests
        Each test is an experiment whose parent is the reference; the files of the verification lie in its folder.
    """
    base = reference or run(replace(options, mode="both"), {}).experiment
    results = base.meta().get("results") or {}
    if "accuracy" not in results or "performance" not in results:
        raise UsageError(
            f"{base.cid} has no accuracy or no performance to hold the tests against", hint="record it with --mode=both"
        )
    # the tests measure the layout of the reference: another one would be another system
    options = replace(options, **{key: results[key] for key in ("sessions", "threads", "batch_size")})
    runs: dict[str, Entry] = {}
    for name in tests_for(options.scenario):
        more = {"parent": {"uid": base.uid, "alias": base.alias, "module": base.module}}
        runs[name] = run(replace(options, compliance=name, mode="performance"), more).experiment
    return base, [done for name in runs if (done := _verified(name, options.scenario, base, runs))]


def _verified(name: str, scenario: str, base: Entry, runs: dict[str, Entry]) -> AuditedTest | None:
    """Verify a test and write what the rules want into its folder; TEST04-B is verified with A."""
    rules = scenario_rules(scenario)
    assert rules is not None
    if name == "TEST04-B":
        return None
    entry = runs[name]
    found: dict[str, Verification] = {}
    if name == "TEST04-A":
        logs = entry.path / _DETAIL, runs["TEST04-B"].path / _DETAIL
        found["verify_performance.txt"] = verify_performance("TEST04", rules.name, *logs)
    else:
        logs = base.path / _DETAIL, entry.path / _DETAIL
        found["verify_performance.txt"] = verify_performance(name, rules.name, *logs)
    if submission_rules().tests[name].verifies_accuracy:
        found["verify_accuracy.txt"] = verify_accuracy(base.path / _ACCURACY, entry.path / _ANSWERS)
    for file, row in found.items():
        write_text(entry.path / file, row.text)
    passed = all(row.passed for row in found.values())
    label = "TEST04" if name == "TEST04-A" else name
    update_entry(entry, {"verified": {"passed": passed, "files": sorted(found)}})
    return AuditedTest(label, passed, entry, {file: row.text for file, row in found.items()})

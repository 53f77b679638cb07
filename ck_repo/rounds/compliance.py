"""Verification of compliance tests from logs: performance within limits, and for TEST01 equal answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ck_repo.contract.logs import Detail
from ck_repo.rounds.logs import read_detail, read_samples
from ck_repo.rounds.round import Round
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission_rules import SubmissionRules


@dataclass(frozen=True)
class Verification:
    """The outcome of one verification.

    Attributes
    ----------
    text
        The content of the file that the rules require.
    """

    passed: bool
    text: str


def verify_performance(round_: Round, test: str, scenario_name: str, reference: Path, tested: Path) -> Verification:
    """Compare the result of a test with that of the reference run; for TEST04, B with A.

    Parameters
    ----------
    test
        ``TEST01``, ``TEST05`` (reference: the performance run), or ``TEST04`` (reference: A, tested: B).
    reference, tested
        Detail logs; those of a round with text logs may be of either kind.
    """
    rules, scenario = round_.submission, round_.scenario(scenario_name)
    logs = [_read(round_, path) for path in (reference, tested)]
    if test != "TEST04":  # it issues too few queries to be VALID
        for what, log in zip(("Reference", "Test"), logs, strict=True):
            if log.values.get("result_validity") != "VALID":
                return invalid(what)
    scores = [log.number(scenario.compliance_key) for log in logs]
    if scores[0] is None or scores[1] is None or not scores[0]:
        missing = reference if not scores[0] else tested
        return Verification(False, f"Verifying performance.\n{missing} has no {scenario.compliance_key}\nTEST FAIL\n")
    before, after = scores[0], scores[1]
    found = judge_performance(rules, test, scenario, before, after, before)
    names = ("TEST04-A score", "TEST04-B score") if test == "TEST04" else ("reference score", "test score")
    lines = ["Verifying performance.", f"{names[0]} = {before:.12g}", f"{names[1]} = {after:.12g}"]
    if test == "TEST04":
        how = "faster" if found.change > 0 else "slower"
        lines.append(f"B is {100 * abs(found.change):.2f} % {how} than A; the limit is {100 * found.bound:g} % faster")
    else:
        lines.append(f"the results differ by {100 * found.change:+.2f} %; the limit is {100 * found.bound:g} %")
    return Verification(found.passed, "\n".join([*lines, f"TEST {'PASS' if found.passed else 'FAIL'}"]) + "\n")


def _read(round_: Round, path: Path) -> Detail:
    log = read_detail(path)
    return log if log.values or round_.text_log is None else round_.read_run(path.parent)


def invalid(what: str) -> Verification:
    """The verdict on a test with a run that is not VALID: ``Reference`` or ``Test``."""
    return Verification(False, f"Verifying performance.\nTEST FAIL: {what} results are invalid\n")


@dataclass(frozen=True)
class Judgement:
    """The difference between two results, and whether it is allowed.

    Attributes
    ----------
    change
        Relative; for TEST04 how much faster B is than A.
    """

    passed: bool
    change: float
    bound: float


def judge_performance(
    rules: SubmissionRules, test: str, scenario: Scenario, before: float, after: float, reference: float
) -> Judgement:
    """Compare one result with another.

    Parameters
    ----------
    test
        ``TEST01`` or ``TEST05`` (before: the performance run), or ``TEST04`` (before: A, after: B).
    reference
        The result of the performance run, or A's if that is unknown: the limit is wider for very short latencies.
    """
    latency = reference if scenario.lower_is_better else None
    if test == "TEST04":
        bound = rules.bound("TEST04-B", scenario, latency)
        change = (_ratio(before, after) if scenario.lower_is_better else _ratio(after, before)) - 1
        return Judgement(change <= bound, change, bound)
    bound = rules.bound(test, scenario, latency)
    passed = before * (1 - bound) < after < before * (1 + bound)
    return Judgement(passed, _ratio(after, before) - 1, bound)


def _ratio(one: float, other: float) -> float:
    """The ratio of two results; infinite if the divisor is 0."""
    return one / other if other else math.inf


def verify_accuracy(reference: Path, tested: Path) -> Verification:
    """Whether the answers that TEST01 logged are bitwise equal to those of the accuracy run.

    Parameters
    ----------
    reference, tested
        Complete accuracy logs: of the accuracy run, and of the performance run under TEST01.
    """
    answers: dict[int, bytes] = {}
    duplicates = mismatched = 0
    for row in read_samples(reference):
        if row.qsl_idx in answers:
            duplicates += 1
            mismatched += answers[row.qsl_idx] != row.data
        answers.setdefault(row.qsl_idx, row.data)
    entries = matching = differing = missing = 0
    for row in read_samples(tested):
        entries += 1
        if row.qsl_idx not in answers:
            missing += 1
            continue
        matching += 1
        # the first four bytes of each detection are the sample's index, which is equal in both
        differing += answers[row.qsl_idx] != row.data
    passed = entries > 0 and differing == 0 and missing == 0
    lines = [
        "Verifying accuracy.",
        f"num_acc_log_entries = {len(answers) + duplicates}",
        f"num_acc_log_duplicate_keys = {duplicates}",
        f"num_acc_log_data_mismatch = {mismatched}",
        f"num_perf_log_entries = {entries}",
        f"num_perf_log_qsl_idx_match = {matching}",
        f"num_perf_log_data_mismatch = {differing}",
        f"num_missing_qsl_idxs = {missing}",
        f"TEST {'PASS' if passed else 'FAIL'}",
    ]
    return Verification(passed, "\n".join(lines) + "\n")

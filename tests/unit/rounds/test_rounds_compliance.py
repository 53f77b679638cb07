"""Our verification of compliance tests, compared with the figures and verdicts in submissions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trees import Submissions

from ck_repo.rounds.compliance import verify_performance
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import find_results


@pytest.mark.parametrize("scenario", ["Offline", "SingleStream", "MultiStream"])
def test_submissions_pass_performance_verification(submissions: Submissions, scenario: str) -> None:
    """For every submitter with SSD-MobileNet, compared with the figures stored with the logs."""
    places = [row for row in find_results(submissions.root) if (row.division, row.model) == ("closed", "ssd-mobilenet")]
    chosen = [row for row in places if row.scenario == scenario]
    assert len(chosen) >= 2
    for row in chosen:
        for test in ("TEST01", "TEST05"):
            tested = row.compliance / test / "performance/run_1/mlperf_log_detail.txt"
            verdict = verify_performance(
                load_round(),
                test,
                scenario,
                row.performance / "mlperf_log_detail.txt",
                tested,
            )
            theirs = (row.compliance / test / "verify_performance.txt").read_text()
            assert verdict.passed
            assert "TEST PASS" in theirs
            ours, printed = ([line for line in text.splitlines() if " score = " in line] for text in (verdict.text, theirs))
            assert len(ours) == 2
            assert ours == printed


def write_log(path: Path, values: dict[str, object]) -> None:
    events = [{"key": key, "value": value, "metadata": {"is_error": False}} for key, value in values.items()]
    path.write_text("".join(f":::MLLOG {json.dumps(event)}\n" for event in events))


@pytest.mark.parametrize(("test", "scenario"), [("TEST01", "Offline"), ("TEST04", "SingleStream"), ("TEST05", "SingleStream")])
def test_zero_figure_fails(tmp_path: Path, test: str, scenario: str) -> None:
    """In SingleStream, TEST04-B with a latency of 0 is infinitely faster than A."""
    key = load_round().scenario(scenario).compliance_key
    for name, value in (("reference", 1000), ("tested", 0)):
        write_log(tmp_path / name, {key: value, "result_validity": "VALID"})
    verdict = verify_performance(load_round(), test, scenario, tmp_path / "reference", tmp_path / "tested")
    assert not verdict.passed
    assert "TEST FAIL" in verdict.text


@pytest.mark.parametrize("validity", [{}, {"result_validity": "INVALID"}])
@pytest.mark.parametrize("which", ["reference", "tested"])
def test_invalid_run_fails(tmp_path: Path, which: str, validity: dict[str, object]) -> None:
    """A log without a verdict belongs to a run that did not finish."""
    for name in ("reference", "tested"):
        write_log(tmp_path / name, {"result_samples_per_second": 100, "result_validity": "VALID"})
    write_log(tmp_path / which, {"result_samples_per_second": 100, **validity})
    verdict = verify_performance(load_round(), "TEST05", "Offline", tmp_path / "reference", tmp_path / "tested")
    assert not verdict.passed
    assert f"{'Reference' if which == 'reference' else 'Test'} results are invalid" in verdict.text


@pytest.mark.parametrize(
    ("name", "test", "scenario", "latency_ns", "bound"),
    [
        ("v1.0", "TEST05", "SingleStream", 200_000, 0.2),
        ("v2.0", "TEST01", "SingleStream", 200_001, 0.1),
        ("v2.0", "TEST01", "MultiStream", 1_600_000, 0.2),
        ("v2.0", "TEST05", "MultiStream", 150_000, 0.05),
        ("v2.0", "TEST04-B", "MultiStream", 150_000, 0.1),
    ],
)
def test_short_latencies_have_wider_bound(name: str, test: str, scenario: str, latency_ns: float, bound: float) -> None:
    """Source: compliance/nvidia/*/verify_performance.py of the rounds."""
    round_ = load_round(name)
    assert round_.submission.bound(test, round_.scenario(scenario), latency_ns) == bound


def test_text_logs_are_verified(tmp_path: Path) -> None:
    round_ = load_round("v0.7")
    for name, rate in (("reference", 100), ("near", 104), ("far", 106)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mlperf_log_detail.txt").write_text('"pid": 1, "tid": 1, "ts": 1ns : Scenario : Offline\n')
        text = f"Scenario : Offline\nSamples per second: {rate}\nResult is : VALID\n"
        (tmp_path / name / "mlperf_log_summary.txt").write_text(text)
    logs = [tmp_path / name / "mlperf_log_detail.txt" for name in ("reference", "near", "far")]
    assert verify_performance(round_, "TEST05", "Offline", logs[0], logs[1]).passed
    assert not verify_performance(round_, "TEST05", "Offline", logs[0], logs[2]).passed

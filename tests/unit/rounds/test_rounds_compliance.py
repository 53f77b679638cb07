"""Our verification of compliance tests, beside the figures and verdicts that submissions have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trees import Submissions

from ck_repo.rounds.compliance import verify_performance
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import find_results


@pytest.mark.parametrize("scenario", ["Offline", "SingleStream", "MultiStream"])
def test_submissions_pass_our_verification_of_performance(submissions: Submissions, scenario: str) -> None:
    """Of every submitter with SSD-MobileNet; what is printed are the figures that lie beside the logs."""
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


@pytest.mark.parametrize(("test", "scenario"), [("TEST01", "Offline"), ("TEST04", "SingleStream"), ("TEST05", "SingleStream")])
def test_a_figure_of_0_fails(tmp_path: Path, test: str, scenario: str) -> None:
    """In SingleStream, TEST04-B with a latency of 0 is infinitely faster than A."""
    key = load_round().scenario(scenario).compliance_key
    for name, value in (("reference", 1000), ("tested", 0)):
        event = {"key": key, "value": value, "metadata": {"is_error": False}}
        (tmp_path / name).write_text(f":::MLLOG {json.dumps(event)}\n")
    verdict = verify_performance(load_round(), test, scenario, tmp_path / "reference", tmp_path / "tested")
    assert not verdict.passed
    assert "TEST FAIL" in verdict.text

"""Audits: what runs, what is verified, and what TEST01 falls back to."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from trees import Submissions

from ck_repo.contract.results import Results
from ck_repo.errors import UsageError
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import BASELINE, FALLBACK, falls_back
from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import RunRecord
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry
from ck_repo.submit.audit import AuditedTest, audit
from ck_repo.submit.audit import tests_for as needed_tests


def answers(folder: Path, score: float, samples: range = range(4)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"seq_id": index, "qsl_idx": index, "data": struct.pack("<7f", index, 0, 0, 1, 1, score, 1).hex().upper()}
        for index in samples
    ]
    (folder / "mlperf_log_accuracy.json").write_text(json.dumps(rows))


class Bench:
    """Runs that leave logs, with the rate of each test and the score of its answers."""

    def __init__(self, rates: Mapping[str, float] | None = None, test_score: float = 0.5) -> None:
        self.rates, self.test_score = rates or {}, test_score
        self.asked: list[RunOptions] = []
        self.scored: list[tuple[str, str]] = []
        self.maps = (25.0, 25.1)

    def run(self, options: RunOptions, more: Mapping[str, Any]) -> RunRecord:
        self.asked.append(options)
        results = {"sessions": 2, "threads": 1, "batch_size": 4, "performance": {"valid": True}, "accuracy": {"mAP": 0.5}}
        entry = create_entry(
            Repositories().writable(), "experiment", options.compliance.lower() or "reference", {"results": results, **more}
        )
        log = entry.path / "performance/mlperf_log_detail.txt"
        log.parent.mkdir()
        row = {"key": "result_samples_per_second", "value": self.rates.get(options.compliance, 100.0)}
        valid = {"key": "result_validity", "value": "VALID"}
        log.write_text("".join(f":::MLLOG {json.dumps(each)}\n" for each in (row, valid)))
        answers(entry.path / "accuracy", 0.5)
        answers(entry.path / "performance", self.test_score, range(2))
        return RunRecord(entry, Results(sessions=2, threads=1, batch_size=4))

    def score(self, base: Entry, test: Entry, folder: Path) -> None:
        self.scored.append((base.alias, test.alias))
        for name, figure in zip((BASELINE, FALLBACK), self.maps, strict=True):
            (folder / name).write_text(f"mAP={figure}%\n")

    def audit(self, scenario: str = "offline", reference: Entry | None = None) -> dict[str, AuditedTest]:
        _, tests = audit(RunOptions(scenario=scenario), self.run, self.score, reference)
        return {row.name: row for row in tests}


def test_every_test_runs_with_reference_layout_and_is_verified() -> None:
    bench = Bench()
    tests = bench.audit()
    assert [row.compliance for row in bench.asked] == ["", "TEST01", "TEST04-A", "TEST04-B", "TEST05"]
    assert bench.asked[0].mode == "both"
    assert {(row.sessions, row.threads, row.batch_size) for row in bench.asked[1:]} == {(2, 1, 4)}
    assert {name: row.passed for name, row in tests.items()} == {"TEST01": True, "TEST04": True, "TEST05": True}
    assert bench.scored == []  # the answers are identical
    assert not (tests["TEST01"].experiment.path / BASELINE).exists()
    for row in tests.values():
        meta = row.experiment.meta()
        assert meta["verified"]["passed"] is True
        assert meta["parent"]["alias"] == "reference"
        assert (row.experiment.path / "verify_performance.txt").read_text().endswith("TEST PASS\n")


@pytest.mark.parametrize(
    ("rates", "failing"),
    [
        ({"TEST01": 89.0}, "TEST01"),
        ({"TEST05": 94.0}, "TEST05"),
        ({"TEST05": 106.0}, "TEST05"),
        ({"TEST04-A": 100.0, "TEST04-B": 111.0}, "TEST04"),
    ],
)
def test_figure_out_of_bounds_fails_only_its_test(rates: dict[str, float], failing: str) -> None:
    tests = Bench(rates).audit()
    assert [name for name, row in tests.items() if not row.passed] == [failing]


@pytest.mark.parametrize(
    ("maps", "passed", "verdict"),
    [((25.0, 25.1), True, "within 1 %"), ((25.0, 24.7), False, "not within 1 %"), ((0.0, 0.0), False, "not within 1 %")],
)
def test_different_bits_are_judged_by_map(maps: tuple[float, float], passed: bool, verdict: str) -> None:
    bench = Bench(test_score=0.5000001)
    bench.maps = maps
    row = bench.audit()["TEST01"]
    assert bench.scored == [("reference", "test01")]
    assert (row.passed, falls_back(load_round(), row.experiment.path)) == (passed, passed)
    assert row.remark.endswith(f": {verdict}")
    # the required files exist, whatever the result: the bits did not match
    assert row.texts["verify_accuracy.txt"].endswith("TEST FAIL\n")
    assert row.experiment.meta()["verified"]["passed"] is passed


def test_multistream_skips_test04() -> None:
    assert needed_tests(load_round(), "multistream") == ["TEST01", "TEST05"]


def test_reference_without_accuracy_is_rejected() -> None:
    bench = Bench()
    entry = create_entry(Repositories().writable(), "experiment", "half", {"results": {"performance": {"valid": True}}})
    with pytest.raises(UsageError, match="experiment:half has no accuracy"):
        bench.audit(reference=entry)
    assert bench.asked == []


def test_fallback_files_go_into_the_tree(tmp_path: Path, submissions: Submissions) -> None:
    """As in submissions whose MultiStream has different bits: one of the generated tree, and NVIDIA's published one."""
    from ck_repo.submit.generate import _compliance

    bench = Bench(test_score=0.5000001)
    row = bench.audit()["TEST01"]
    _compliance(load_round(), row.experiment, tmp_path / "TEST01", "TEST01")
    tests = "compliance/*/ssd-mobilenet/MultiStream/TEST01"
    (falling_back,) = submissions.root.glob(f"closed/*/{tests}/accuracy/baseline_accuracy.txt")
    ours = {path.name for path in (tmp_path / "TEST01/accuracy").iterdir()}
    assert ours == {path.name for path in falling_back.parent.iterdir()}
    assert ours == {"accuracy.txt", "baseline_accuracy.txt", "compliance_accuracy.txt", "mlperf_log_accuracy.json"}

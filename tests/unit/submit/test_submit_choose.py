"""Which experiments a tree is generated from."""

from __future__ import annotations

from typing import Any

import pytest

from ck_repo import progress
from ck_repo.errors import NotFoundError
from ck_repo.rounds.round import load_round
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry
from ck_repo.submit.choose import choose

ACCURACY, PERFORMANCE = {"mAP": 0.24}, {"valid": True, "samples_per_second": 100.0}


class Recorder:
    """Experiments recorded a minute apart."""

    def __init__(self) -> None:
        self.minute = 0

    def run(self, alias: str, *, tags: str = "", options: Any = None, parent: str = "", **parts: Any) -> Entry:
        self.minute += 1
        results = {"model": "m", "backend": "onnxruntime", "device": "cpu", "scenario": "offline", **parts}
        meta = {
            "tags": ["experiment", *filter(None, tags.split(","))],
            "options": options or {},
            "results": results,
            "model": {"model": {"benchmark": "ssd-mobilenet"}},
            "spec": {"model": {"side": 300}},
            "recorded": f"2026-11-24T10:{self.minute:02}:00Z",
            **({"parent": {"uid": parent}} if parent else {}),
        }
        return create_entry(Repositories().writable(), "experiment", alias, meta)


@pytest.fixture
def bench() -> Recorder:
    return Recorder()


def chosen(tags: str = "") -> list[tuple[str, str, list[str]]]:
    return [(row.performance.alias, row.accuracy.alias, sorted(row.tests)) for row in choose(Session(), load_round(), tags)]


def test_complete_audited_run_takes_precedence(bench: Recorder) -> None:
    whole = bench.run("whole", accuracy=ACCURACY, performance=PERFORMANCE)
    bench.run("t5", tags="compliance,TEST05", options={"compliance": "TEST05"}, parent=whole.uid, performance=PERFORMANCE)
    bench.run("later", accuracy=ACCURACY, performance=PERFORMANCE)
    bench.run("few", options={"count": 20}, performance=PERFORMANCE)
    bench.run("alone", performance=PERFORMANCE)
    assert chosen() == [("whole", "whole", ["TEST05"])]


def test_official_run_takes_precedence(bench: Recorder) -> None:
    bench.run("official", official=True, accuracy=ACCURACY, performance=PERFORMANCE)
    bench.run("later", accuracy=ACCURACY, performance=PERFORMANCE)
    assert chosen() == [("official", "official", [])]


def test_performance_run_uses_accuracy_of_same_system(bench: Recorder) -> None:
    bench.run("accuracy", accuracy=ACCURACY)
    bench.run("other-backend", backend="tensorflow", accuracy=ACCURACY)
    bench.run("performance", official=True, performance=PERFORMANCE)
    assert chosen() == [("performance", "accuracy", [])]


def test_audit_belongs_to_its_reference_regardless_of_tags(bench: Recorder) -> None:
    base = bench.run("base", tags="mine", accuracy=ACCURACY, performance=PERFORMANCE)
    bench.run("t1", tags="compliance,audit", options={"compliance": "TEST01"}, parent=base.uid, performance=PERFORMANCE)
    assert chosen("mine") == [("base", "base", ["TEST01"])]


def test_search_trials_and_runs_without_accuracy_are_not_results(bench: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    monkeypatch.setattr(progress, "say", messages.append)
    bench.run("try", tags="find-performance", scenario="multistream", performance=PERFORMANCE)
    bench.run("alone", scenario="server", performance=PERFORMANCE)
    with pytest.raises(NotFoundError, match="no experiment with performance and accuracy"):
        chosen()
    bench.run("good", accuracy=ACCURACY, performance=PERFORMANCE)
    assert chosen() == [("good", "good", [])]
    assert [text for text in messages if "experiment:alone" in text and "skipped" in text]
    assert not [text for text in messages if "experiment:try" in text]

"""Reasons why a run is invalid name our options, not LoadGen's settings."""

from __future__ import annotations

import pytest

from ck_repo.experiments.meta import RecordedLoadGen
from ck_repo.experiments.reasons import explained
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for

SERVER = rules_for(load_round(), "ssd-mobilenet").scenario("server")


SETTINGS = RecordedLoadGen(target_latency_ms=10.0, min_duration_ms=60_000, min_query_count=270_336)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (
            "Performance constraints satisfied : NO",
            "the p99 latency is 12.50 ms, and the bound is 10 ms: lower --target-qps, or search the target with "
            "`ck find performance --scenario=server`",
        ),
        ("Min duration satisfied : NO", "the run was shorter than the minimum of 60 s"),
        ("Min queries satisfied : NO", "the run had fewer queries than the minimum of 270336: raise --time"),
        (
            "Need to process at least 662 queries for early stopping.",
            "early stopping needs at least 662 queries: raise --time",
        ),
        (
            "Increase expected QPS so the loadgen pre-generates a larger (coalesced) query.",
            "LoadGen prepared too few samples, as the system was faster than its target: raise --target-qps",
        ),
        ("12 queries: the rules require 1024", "12 queries: the rules require 1024"),
    ],
)
def test_loadgen_line_names_our_options(reason: str, expected: str) -> None:
    assert explained([reason], {"p99": 12.5}, SETTINGS, SERVER) == [expected]


def test_uninformative_lines_are_left_out() -> None:
    assert explained(["Run unsuccessful.", "Processed 12 queries."], {}, RecordedLoadGen(), None) == []

"""What a submission of the round has to have, from the data file of the round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ck_repo.rounds.rules import round_data


@dataclass(frozen=True)
class ComplianceTest:
    """A compliance test.

    Attributes
    ----------
    bound
        How much performance may differ, relative; see `SubmissionRules.bound`.
    settings
        What LoadGen is told otherwise, by the names of TestSettings.
    verifies_accuracy
        Whether the logged answers are held against the accuracy run.
    not_for
        Scenarios that skip it.
    """

    name: str
    bound: float
    settings: Mapping[str, Any]
    verifies_accuracy: bool
    not_for: Sequence[str]
    samples: Mapping[str, int]


@dataclass(frozen=True)
class SubmissionRules:
    """The rules for a tree, as the data file of the round has them.

    Attributes
    ----------
    system_required, system_optional, measurements_required
        Keys of the two JSON files.
    other_benchmarks
        Models of the round that are no object detection: their results are not for this checker.
    scenarios
        By system type and benchmark: ``required`` and ``optional``.
    severities
        By rule: (``rejected`` or ``reported``, how to fix it).
    """

    system_required: Sequence[str]
    system_optional: Sequence[str]
    system_status: Sequence[str]
    system_types: Sequence[str]
    measurements_required: Sequence[str]
    measurements_files: Sequence[str]
    performance_files: Sequence[str]
    accuracy_files: Sequence[str]
    power_files: Sequence[str]
    accuracy_log_bytes: int
    keep_bytes: int
    gap: bytes
    scenarios: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]
    tests: Mapping[str, ComplianceTest]
    fast_latency_ns: float
    fast_bound: float
    fallback_map: float
    severities: Mapping[str, Sequence[str]]
    other_benchmarks: Sequence[str]

    def bound(self, test: str, scenario: str, latency_ns: float | None) -> float:
        """How much the performance of a test may differ; more where SingleStream is so fast that noise is."""
        if scenario == "SingleStream" and latency_ns is not None and latency_ns <= self.fast_latency_ns:
            return self.fast_bound
        return self.tests[test].bound


@cache
def submission_rules() -> SubmissionRules:
    """The rules of round v1.0."""
    data = round_data()
    compliance = data["compliance"]
    tests = {
        name: ComplianceTest(
            name, row["bound"], row["settings"], row.get("accuracy", False), row.get("not_for", ()), row.get("samples", {})
        )
        for name, row in compliance["tests"].items()
    }
    system, measurements, truncated = data["system"], data["measurements"], data["truncated"]
    return SubmissionRules(
        system["required"], system["optional"], system["status"], system["system_type"],
        measurements["required"], measurements["files"], data["performance_files"], data["accuracy_files"],
        data["power_files"], data["accuracy_log_bytes"],
        truncated["keep_bytes"], truncated["gap"].encode(), data["system_scenarios"], tests, compliance["fast_latency_ns"],
        compliance["fast_bound"], compliance["fallback_map"], data["findings"],
        data["other_benchmarks"],
    )  # fmt: skip

"""The required content of a submission, from the round's data file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ck_repo.rounds.scenario import Scenario, needed_integer, needed_number, one_of
from ck_repo.store.fields import Fields

REJECTED, REPORTED, FOLDER = "rejected", "reported", "folder"
_LOCAL, _UTC = "local", "UTC"


@dataclass(frozen=True)
class ComplianceTest:
    """A compliance test.

    Attributes
    ----------
    bound
        Maximum difference of performance, relative; see `SubmissionRules.bound`.
    settings
        Settings that differ from the performance run, by the names of TestSettings.
    verifies_accuracy
        Whether logged answers are compared with the accuracy run.
    not_for
        Scenarios that skip it.
    samples
        By benchmark: the number of logged samples.
    fast_latency_ns
        By scenario: the latency up to which the wider `SubmissionRules.fast_bound` holds.
    """

    name: str
    bound: float
    settings: Mapping[str, Any]
    verifies_accuracy: bool
    not_for: Sequence[str]
    samples: Mapping[str, int]
    fast_latency_ns: Mapping[str, float]


@dataclass(frozen=True)
class SystemScenarios:
    """The required and the optional scenarios of a type of systems for a benchmark."""

    required: Sequence[str]
    optional: Sequence[str]


@dataclass(frozen=True)
class Advice:
    """A rule of the checker: whether a result is rejected or only reported, and how to fix it.

    Attributes
    ----------
    official
        The behaviour of the round's own checker: ``rejected``, ``reported`` (or nothing), or ``folder`` if it counts the folder
        as one without results and keeps the results in its summary.
    """

    severity: str
    official: str
    fix: str


@dataclass(frozen=True)
class PowerRules:
    """The required content of a power measurement.

    Attributes
    ----------
    files, run_files, optional_files
        Files of the folder power/; of run_1/ and ranging/; and optional files of the latter two.
    utc
        Whether time stamps are UTC; else `timezone` of client.json and server.json, in seconds, is added to each machine's.
    """

    files: Sequence[str]
    run_files: Sequence[str]
    optional_files: Sequence[str]
    utc: bool


@dataclass(frozen=True)
class SubmissionRules:
    """The rules for a tree, from the round's data file.

    Attributes
    ----------
    system_required, system_keys, system_texts
        Keys of a system's JSON that need a value, that may be empty, and whose value must be text.
    measurements_required
        Keys of a measurement's JSON.
    summary_columns
        The columns of the round's summary.csv.
    other_benchmarks
        Models of the round other than object detection, whose results this checker skips.
    accuracy_log_bytes, keep_bytes, gap
        The size above which an accuracy log is truncated, what is kept of each end, and what is between.
    log_values
        Keys of a performance log that need a value wherever they have an event.
    scenarios
        By system type and benchmark.
    fast_bound
        Maximum difference of a compliance test, relative, for latencies up to `ComplianceTest.fast_latency_ns`.
    fallback_map
        Maximum difference of mAP if the answers of TEST01 are not bitwise equal, relative.
    advice
        By rule of the checker.
    """

    system_required: Sequence[str]
    system_keys: Sequence[str]
    system_texts: Sequence[str]
    system_status: Sequence[str]
    system_types: Sequence[str]
    measurements_required: Sequence[str]
    measurements_files: Sequence[str]
    performance_files: Sequence[str]
    accuracy_files: Sequence[str]
    power: PowerRules
    summary_columns: Sequence[str]
    accuracy_log_bytes: int
    keep_bytes: int
    gap: bytes
    log_values: Sequence[str]
    scenarios: Mapping[str, Mapping[str, SystemScenarios]]
    tests: Mapping[str, ComplianceTest]
    fast_bound: float
    fallback_map: float
    advice: Mapping[str, Advice]
    other_benchmarks: Sequence[str]

    def bound(self, test: str, scenario: Scenario, latency_ns: float | None) -> float:
        """The maximum difference of a test's performance; larger for very short latencies, which are noisy.

        Parameters
        ----------
        latency_ns
            The latency of the reference run, ns; None if unknown.

        Returns
        -------
        float
            Relative to the reference, 0–1.
        """
        fast_ns = self.tests[test].fast_latency_ns.get(scenario.name)
        if fast_ns is not None and latency_ns is not None and latency_ns <= fast_ns:
            return self.fast_bound
        return self.tests[test].bound


def read_submission_rules(row: Fields) -> SubmissionRules:
    """The rules for a tree from a round's data file."""
    compliance, system, truncated = row.fields("compliance"), row.fields("system"), row.fields("truncated")
    return SubmissionRules(
        system_required=system.texts("required"),
        system_keys=system.texts("keys"),
        system_texts=system.texts("texts"),
        system_status=system.texts("status"),
        system_types=system.texts("system_type"),
        measurements_required=row.fields("measurements").texts("required"),
        measurements_files=row.fields("measurements").texts("files"),
        performance_files=row.texts("performance_files"),
        accuracy_files=row.texts("accuracy_files"),
        power=_power(row.fields("power")),
        summary_columns=row.fields("summary").texts("columns"),
        accuracy_log_bytes=needed_integer(row, "accuracy_log_bytes"),
        keep_bytes=needed_integer(truncated, "keep_bytes"),
        gap=truncated.needed("gap").encode(),
        log_values=row.texts("log_values"),
        scenarios={kind: _system_scenarios(models) for kind, models in row.each("system_scenarios").items()},
        tests={name: _test(name, test) for name, test in compliance.each("tests").items()},
        fast_bound=needed_number(compliance, "fast_bound"),
        fallback_map=needed_number(compliance, "fallback_map"),
        advice={name: _advice(advice) for name, advice in row.each("findings").items()},
        other_benchmarks=row.texts("other_benchmarks"),
    )


def _system_scenarios(models: Fields) -> dict[str, SystemScenarios]:
    rows = {name: models.fields(name) for name in models.as_dict()}
    return {name: SystemScenarios(row.texts("required"), row.texts("optional")) for name, row in rows.items()}


def _test(name: str, row: Fields) -> ComplianceTest:
    samples = {benchmark: needed_integer(row.fields("samples"), benchmark) for benchmark in row.table("samples")}
    fast = {scenario: needed_number(row.fields("fast_latency_ns"), scenario) for scenario in row.table("fast_latency_ns")}
    return ComplianceTest(
        name, needed_number(row, "bound"), row.table("settings"), row.flag("accuracy"), row.texts("not_for"), samples, fast
    )


def _power(row: Fields) -> PowerRules:
    return PowerRules(
        row.texts("files"), row.texts("run_files"), row.texts("optional_files"), one_of(row, "clocks", (_LOCAL, _UTC)) == _UTC
    )


def _advice(row: Fields) -> Advice:
    severity = one_of(row, "severity", (REJECTED, REPORTED))
    return Advice(severity, one_of(row, "official", (REJECTED, REPORTED, FOLDER), severity), row.needed("fix"))

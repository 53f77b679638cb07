"""Whether a performance run is valid, and if not, why: one sentence for each reason, with value and limit."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.experiments.experiment_table import performance_text
from ck_repo.report.subject import Subject


@dataclass(frozen=True)
class Verdict:
    """The verdict at the top of a report: ``valid``, ``invalid`` or ``unknown``, a word, a sentence and the reasons."""

    kind: str
    word: str
    text: str
    reasons: tuple[str, ...] = ()


def verdict_of(subject: Subject) -> Verdict:
    """The verdict on an experiment."""
    found = subject.figures
    if subject.meta.get("published"):
        text = "no result" if found.value is None else f"{found.value:.6g} {found.unit}, as submitted"
        return Verdict("valid", "VALID", text) if found.valid else Verdict("invalid", "INVALID", text, _reasons(subject))
    if not subject.performance:
        return Verdict("unknown", "No performance run.", "Only accuracy was measured." if subject.accuracy else "")
    text = performance_text(subject.record).removesuffix(" (INVALID)") + _targets(subject)
    if subject.performance.get("valid"):
        return Verdict("valid", "VALID", text)
    return Verdict("invalid", "INVALID", text, _reasons(subject))


def _targets(subject: Subject) -> str:
    settings = subject.spec.get("loadgen") or {}
    parts = []
    if subject.bound_ms is not None:
        parts.append(f"bound {subject.bound_ms:g} ms")
    if settings.get("target_qps"):
        parts.append(f"target {settings['target_qps']:g} queries/s")
    return f"; {', '.join(parts)}" if parts else ""


def _reasons(subject: Subject) -> tuple[str, ...]:
    """The conditions of LoadGen and of the rules that are not met."""
    log, scenario = subject.detail, subject.scenario
    reasons = []
    failed = {key for key, value in log.values.items() if value is False}
    if "result_perf_constraints_met" in failed and scenario is not None:
        key = log.latency_key(scenario.percentile)
        latency, bound = log.number(key), subject.bound_ms
        if latency is not None and bound is not None and latency / 1e6 > bound:
            reasons.append(
                f"The {100 * scenario.percentile:g}th percentile of the latency is {latency / 1e6:.4g} ms, above the bound of "
                f"{bound:g} ms: reduce the queries/s, or answer them faster."
            )
        else:
            reasons.append("Too many latencies exceed the bound for the number of queries of the scenario.")
    if "result_min_duration_met" in failed:
        minimum = log.number("effective_min_duration_ms")
        lasted = subject.performance.get("duration_s")
        reasons.append(
            "The run was too short"
            + (f": {lasted:.1f} s" if lasted is not None else "")
            + (f", and the minimum is {minimum / 1e3:g} s." if minimum is not None else ".")
        )
    if "result_min_queries_met" in failed:
        count, minimum = log.number("result_query_count"), log.number("effective_min_query_count")
        reasons.append(f"Too few queries: {_text(count)}, and the minimum is {_text(minimum)}.")
    if "early_stopping_met" in failed and scenario is not None:
        reasons.append(
            f"Too few queries to say with 99 % confidence that the {100 * scenario.percentile:g}th percentile is within the "
            "bound (early stopping): increase the duration, or the speed."
        )
    recorded = [str(each) for each in subject.performance.get("reasons") or []]
    reasons += [text for text in recorded if any(words in text for words in ("the rules require", "the rules ask for"))]
    return tuple(reasons or recorded or ["LoadGen reports it; the log of the run has no reason."])


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else "unknown"

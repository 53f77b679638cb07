"""Explanations for invalid runs: LoadGen's messages in terms of our options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ck_repo.experiments.meta import ExperimentMeta, RecordedLoadGen
from ck_repo.rounds.scenario import Scenario


@dataclass(frozen=True)
class _Run:
    """The values for the explanations."""

    latency_ms: Mapping[str, float]
    settings: RecordedLoadGen
    scenario: Scenario | None


# LoadGen's messages name its own settings, which ck derives from options; each entry is a pattern and its replacement
_Sentence = Callable[[re.Match[str], _Run], str]


def explained(
    reasons: Sequence[str], latency_ms: Mapping[str, float], settings: RecordedLoadGen, scenario: Scenario | None
) -> list[str]:
    """The reasons why a run is not valid, with hints; unknown messages are not changed.

    Parameters
    ----------
    reasons
        As in results.json.
    latency_ms
        Percentiles of the latency, by name.
    settings
        The requirements of the run.
    scenario
        Of the run; None if unknown.
    """
    run, found = _Run(latency_ms, settings, scenario), []
    for reason in reasons:
        for pattern, sentence in _SENTENCES:
            if match := pattern.fullmatch(" ".join(reason.split())):
                found.append(sentence(match, run))
                break
        else:
            found.append(reason)
    return list(dict.fromkeys(text for text in found if text))


def loadgen_of(meta: ExperimentMeta) -> RecordedLoadGen:
    """LoadGen's settings of a run, as far as recorded."""
    return (meta.spec.loadgen if meta.spec else None) or RecordedLoadGen()


def bound_ms(meta: ExperimentMeta) -> float | None:
    """The latency bound of the run in ms; None if it was not recorded."""
    return loadgen_of(meta).target_latency_ms


def _latency(_: re.Match[str], run: _Run) -> str:
    bound, name = run.settings.target_latency_ms, run.scenario.percentile_name if run.scenario else "p99"
    latency = run.latency_ms.get(name)
    what = "the latency is above the bound"
    if bound is not None and latency is not None:
        what = f"the {name} latency is {latency:.2f} ms, and the bound is {bound:g} ms"
    key = run.scenario.key if run.scenario else "server"
    return f"{what}: lower --target-qps, or search the target with `ck find performance --scenario={key}`"


def _duration(_: re.Match[str], run: _Run) -> str:
    minimum = run.settings.min_duration_ms
    return "the run was shorter than " + (f"the minimum of {minimum / 1e3:g} s" if minimum else "its minimum duration")


def _queries(_: re.Match[str], run: _Run) -> str:
    minimum = run.settings.min_query_count
    return (
        "the run had fewer queries than " + (f"the minimum of {minimum:.0f}" if minimum else "its minimum") + ": raise --time"
    )


def _said(text: str) -> _Sentence:
    return lambda match, run: match.expand(text)


_SENTENCES: tuple[tuple[re.Pattern[str], _Sentence], ...] = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"Performance constraints satisfied ?: NO", _latency),
        (r"Min duration satisfied ?: NO", _duration),
        (r"Min queries satisfied ?: NO", _queries),
        (
            r"Early stopping satisfied ?: NO",
            _said("early stopping: the run has too few queries to confirm the percentile, or too many above the bound"),
        ),
        (
            r"Need to process at least (\d+) queries for early stopping\.?",
            _said(r"early stopping needs at least \1 queries: raise --time"),
        ),
        (
            r"Not enough queries processed for (.+?) early stopping estimate \(would need to process at least (\d+).*",
            _said(r"early stopping needs at least \2 queries to estimate \1: raise --time"),
        ),
        (
            r"Would need to run at least (\d+) more queries,? with the run being successful if every additional query.*",
            _said(
                r"early stopping: \1 more queries within the bound would make the run valid: raise --time or lower --target-qps"
            ),
        ),
        (r"(Run (un)?successful|Reduce target QPS to improve latency)\.?", _said("")),  # other messages cover these
        (r"(Processed( at least)?|Only processed|Would discard) \d+ .*", _said("")),
        (
            r"Increase (the )?expected QPS so the loadgen pre-generates a larger.*",
            _said("LoadGen prepared too few samples, as the system was faster than its target: raise --target-qps"),
        ),
        (
            r"Increase the target QPS so the loadgen pre-generates more queries\.?",
            _said("LoadGen prepared too few queries: raise --target-qps or --time"),
        ),
        (
            r"Decrease the expected latency so the loadgen pre-generates more queries\.?",
            _said("LoadGen prepared too few queries, as the system was faster than its target: lower --target-latency"),
        ),
        (
            r"The test exited early, before enough queries were issued\..*",
            _said("LoadGen ended the test before all queries were issued: mlperf_log_detail.txt has the cause"),
        ),
    )
)

"""Derive the most similar run from a submission, and the differences that remain."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.errors import NotFoundError
from ck_repo.machine.platform import describe_platform
from ck_repo.models.backends import own_backends
from ck_repo.rounds.rules import Rules, rules_for
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission import Result
from ck_repo.run.options import RunOptions

Unmatched = Callable[[str, object, object, str], None]  # what, theirs, ours, why


@dataclass(frozen=True)
class Matched:
    """The most similar run.

    Attributes
    ----------
    options
        Options of `ck run`.
    unmatched
        (what, theirs, ours, why) of each difference.
    """

    options: RunOptions
    unmatched: list[dict[str, str]]


def match(result: Result) -> Matched:
    """Derive the options of the most similar run.

    Raises
    ------
    NotFoundError
        If the round does not have the model or the scenario.
    """
    round_ = result.round
    benchmark = round_.benchmark_in_tree(result.place.model)
    if not benchmark:
        raise NotFoundError(f"{result.place.model} is not a model of object detection in round {round_}")
    rules, row = rules_for(round_, benchmark), round_.find_scenario(result.place.scenario, benchmark)
    if row is None:
        raise NotFoundError(f"{result.place.scenario} is not a scenario of the round")
    differing: list[dict[str, str]] = []

    def unmatched(what: str, theirs: object, ours: object, why: str) -> None:
        differing.append({"what": what, "theirs": str(theirs), "ours": str(ours), "why": why})

    backend, form = _framework(str(result.description.get("framework", "")), unmatched)
    options: dict[str, object] = {
        "model": f"{benchmark},{form},{_weights(result, benchmark, unmatched)}",
        "dataset": "dataset,coco,2017,val,full",
        "backend": backend,
        "round": round_.name,
        "scenario": row.key,
        "official": True,
        **_targets(row, result.settings, unmatched),
    }
    _hardware(result.description, unmatched)
    _counts(result.settings, rules, row, unmatched)
    theirs = str(result.settings.get("loadgen_version", "")) or "not given"
    unmatched("LoadGen", theirs, round_.loadgen, f"the version on the index that loads the samples of {round_}")
    if row.fixed_intervals:
        built = f"--dep_add_tags.loadgen=r{round_.loadgen_of_round}"
        why = f"LoadGen {round_.loadgen} has no fixed intervals; {built} uses the round's LoadGen, which has them"
        unmatched(row.name, "one query in each fixed interval", "back to back", why)
    return Matched(RunOptions.of(options), differing)


def _framework(theirs: str, unmatched: Unmatched) -> tuple[str, str]:
    """Our backend, and the format of the model that it runs."""
    named = [row for row in own_backends().values() if any(name in theirs.lower() for name in row.submitted_as)]
    contained = {name for row in named for name in row.part_of}
    for backend in (row for row in named if row.name not in contained):
        if theirs.lower() not in backend.submitted_as:
            unmatched("framework", theirs, backend.name, "their build of it is not public")
        return backend.name, backend.submitted_model
    unmatched("framework", theirs or "not given", "onnxruntime", "there is no backend for it")
    return "onnxruntime", "onnx"


def _weights(result: Result, benchmark: str, unmatched: Unmatched) -> str:
    """The type of our model's weights: ``fp32`` or ``int8``."""
    theirs = str(result.measurement.get("weight_data_types", "")).lower()
    if "int8" not in theirs:
        if theirs != "fp32":
            unmatched("weights", theirs or "not given", "fp32", "no model here has weights of that type")
        return "fp32"
    if benchmark == "ssd-resnet34":
        unmatched("weights", theirs, "fp32", "the benchmark does not publish an 8-bit SSD-ResNet34")
        return "fp32"
    how = result.measurement.get("weight_transformations") or "their own"
    unmatched("quantization", how, "the published 8-bit model", "each submitter converts the weights in a different way")
    return "int8"


def _hardware(system: Mapping[str, Any], unmatched: Unmatched) -> None:
    here = describe_platform()
    cpu = str(system.get("host_processor_model_name", ""))
    if cpu != here.cpu:
        unmatched("CPU", f"{system.get('host_processors_per_node', '?')} × {cpu}", here.cpu, "this machine has another")
    number = re.match(r"\d+", str(system.get("accelerators_per_node", "0")))
    if number and int(number[0]):
        name = system.get("accelerator_model_name", "")
        unmatched("accelerator", f"{number[0]} × {name}", "none", "our run uses the CPU; add --device=cuda if there is a GPU")


def _targets(row: Scenario, asked: Mapping[str, Any], unmatched: Unmatched) -> dict[str, object]:
    """Target rate, latency bound and samples in a query, from LoadGen's settings."""
    found: dict[str, object] = {}
    rate = _number(asked.get("target_qps"))
    if row.target == "target_qps" and rate:
        found["target_qps"] = rate
    latency = _number(asked.get("target_latency_ns"))
    if row.bound_ms is not None and latency:
        if latency / 1e6 > row.bound_ms:
            unmatched("latency bound", f"{latency / 1e6:g} ms", f"{row.bound_ms:g} ms", "the limit of the rules is lower")
        else:
            found["target_latency"] = latency / 1e6
    samples = _number(asked.get("samples_per_query"))
    if row.target == "samples_per_query" and samples:
        found["samples_per_query"] = int(samples)
    if row.at_rate and "target_qps" not in found:
        unmatched("target", "not in the log", "a quarter of the measured rate", "the performance log is missing or truncated")
    return found


def _counts(asked: Mapping[str, Any], rules: Rules, row: Scenario, unmatched: Unmatched) -> None:
    """Seeds, counts and durations: ours are those of the rules."""
    for name, ours in rules.seeds.items():
        theirs = asked.get(name)
        if theirs is not None and theirs != ours:
            unmatched(name, theirs, ours, "the seed is not the round's")
    count = _number(asked.get("performance_sample_count"))
    if count and int(count) != rules.performance_sample_count:
        unmatched("performance sample count", int(count), rules.performance_sample_count, "the rules do not require more")
    duration = _number(asked.get("min_duration_ms"))
    if duration and int(duration) != row.min_duration_ms:
        unmatched("minimum duration, ms", int(duration), row.min_duration_ms, "the round's value is used")
    queries = _number(asked.get("min_query_count"))
    if queries and not row.one_query and not row.early_stopping and int(queries) != row.min_query_count:
        unmatched("minimum query count", int(queries), row.min_query_count, "the round's value is used")


def _number(value: Any) -> float | None:
    """A finite number; None for any other value in a submission's log."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None

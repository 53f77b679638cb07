"""Write spec.json for the harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ck_repo.contract.record import write
from ck_repo.contract.spec import OPTIONS, Built, Dataset, LoadGenSettings, Model, Preprocessed, Spec
from ck_repo.models.model_file import profile_for_file
from ck_repo.resolve.plan import SOURCE
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import Rules, benchmark_of, rules_for
from ck_repo.run.options import DEFAULT_SECONDS, RUN_OPTIONS, RunOptions
from ck_repo.run.prepare import DATASET, LOADGEN, WEIGHTS, RunPlan
from ck_repo.store.digest import of_value
from ck_repo.store.folders import tools_root
from ck_repo.store.installed import Installed, InstalledDataset


def build_spec(plan: RunPlan, installed: Mapping[str, Installed]) -> Spec:
    """The spec of a run.

    Parameters
    ----------
    plan
        The plan.
    installed
        The installed components, by the key of the program's dependency.
    """
    weights, dataset = installed[WEIGHTS], installed[DATASET]
    model = weights.model or {}
    interface = profile_for_file(model, weights.file, plan.networks)
    if plan.options.reference_faults:
        interface = interface.with_reference_faults()
    base, parts = Path(dataset.path), dataset.dataset or InstalledDataset()
    rules = rules_of(plan)
    settings = loadgen_settings(plan.options, rules)
    built = _built(installed.get(LOADGEN))
    # the minimum count of the round gives the round's order of samples
    if built and built.version == rules.round.loadgen_of_round:
        settings = replace(settings, min_query_count=settings.required_query_count)
    options = plan.options
    return Spec(
        model=Model(
            name=weights.title,
            path=Path(weights.file),
            backend=plan.backend,
            input=str(model.get("input", "")),
            max_batch=model.get("max_batch"),
            **interface.as_spec(),
        ),
        dataset=Dataset(
            name=dataset.title,
            images=base / parts.images,
            annotations=base / parts.annotations,
            digest=_digest(dataset),
            only_annotated=interface.only_annotated,
            preprocessed=_preprocessed(base, parts),
            inside=parts.inside,
        ),
        modes=options.modes,
        loadgen=settings,
        cache=tools_root() / ".cache" / "preprocessed",
        loadgen_built=built,
        calibration=plan.calibration,
        **{each.name: getattr(options, each.name) for each in OPTIONS},
    )


def _digest(dataset: Installed) -> str:
    """Digest of the images; for a derived data set including its source, which may have the images."""
    source = dataset.inputs.get(SOURCE)
    return of_value([dataset.digest, source]) if source else dataset.digest


def spec_data(spec: Spec, options: RunOptions) -> Mapping[str, Any]:
    """The content of spec.json: the spec, and the options that only the harness of another program knows."""
    known = {each.name for each in OPTIONS}
    return {
        **write(spec),
        **{option.name: getattr(options, option.name) for option in RUN_OPTIONS if option.in_spec and option.name not in known},
    }


def _built(loadgen: Installed | None) -> Built | None:
    """For a LoadGen from a recipe: the folder to import it from, and its version; None for the venv's."""
    return Built(Path(loadgen.python_path), loadgen.version) if loadgen and loadgen.python_path else None


def _preprocessed(base: Path, parts: InstalledDataset) -> Preprocessed | None:
    """For a data set with prepared images: their file, and how they were made."""
    return replace(parts.preprocessed, file=base / parts.preprocessed.file) if parts.preprocessed else None


def rules_of(plan: RunPlan) -> Rules:
    """The rules of the run's round for the model's benchmark."""
    return rules_for(load_round(plan.options.round), benchmark_of(plan.model, plan.profile.side or 0))


def loadgen_settings(options: RunOptions, rules: Rules) -> LoadGenSettings:
    """LoadGen's settings: always the round's seeds; the round's durations and counts for official runs.

    The order in which LoadGen 4.1.30 issues samples is only that of v1.0 with a minimum query count of 0. An official run
    therefore reaches the round's minimum by its duration, and the result is checked for it. A scenario with all samples in one
    query has the same order with the minimum set.

    Parameters
    ----------
    options
        ``seconds``, ``target_qps``, ``target_latency`` (ms) and ``samples_per_query`` override the scenario's values, as far as
        an
        official run may.
    rules
        The rules of a benchmark in a round.
    """
    row = rules.scenario(options.scenario)
    seconds = options.seconds if options.seconds is not None else DEFAULT_SECONDS
    if options.official:
        seconds = max(row.min_duration_ms / 1e3, options.seconds or 0.0)
        if row.at_rate and options.target_qps:
            seconds = max(seconds, row.min_queries / options.target_qps)
    latency = options.target_latency if options.target_latency is not None else row.target_latency_ms
    seeds, audit = _compliance(options, rules)
    return LoadGenSettings(
        **seeds,
        performance_sample_count=rules.performance_sample_count,
        percentile=row.percentile,
        min_duration_ms=round(seconds * 1e3),
        min_query_count=row.min_queries if options.official and (row.one_query or options.counts == "loadgen") else 0,
        required_query_count=row.min_queries if options.official else 0,
        early_stopping=row.early_stopping,
        target_qps=options.target_qps or (row.target_qps if row.fixed_intervals else None),
        target_latency_ms=latency if not row.one_query else None,
        samples_per_query=options.samples_per_query or row.samples_per_query,
        max_async_queries=row.max_async_queries,
        version=rules.round.loadgen,
        version_of_round=rules.round.loadgen_of_round,
        audit=audit,
    )


def _compliance(options: RunOptions, rules: Rules) -> tuple[Mapping[str, int], Mapping[str, Any]]:
    """Seeds and other settings of TestSettings for a compliance test."""
    if not options.compliance:
        return dict(rules.seeds), {}
    test = rules.round.submission.tests[options.compliance]
    seeds = {name: test.settings.get(name, value) for name, value in rules.seeds.items()}
    audit = {name: value for name, value in test.settings.items() if name not in seeds}
    if test.samples:
        audit["accuracy_log_sampling_target"] = test.samples[rules.benchmark]
    return seeds, audit

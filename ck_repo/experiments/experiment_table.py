"""An experiment as a table."""

from __future__ import annotations

from collections.abc import Mapping

from ck_repo.contract.record import write
from ck_repo.contract.results import Results
from ck_repo.experiments.figures import TRIAL, figures, scenario_of
from ck_repo.experiments.meta import ExperimentMeta, RecordedVenv
from ck_repo.experiments.profile import profile_lines
from ck_repo.experiments.published_figure import Published
from ck_repo.experiments.reasons import bound_ms, explained, loadgen_of
from ck_repo.machine.platform import Platform
from ck_repo.store.installed import Installed
from ck_repo.table import pair_lines

_TARGETS = ("target_qps", "target_latency_ns", "samples_per_query", "min_duration_ms", "min_query_count")


def summary_line(meta: ExperimentMeta) -> tuple[str, str, str, str, str]:
    """Model, scenario, mAP, performance and time of an experiment, for a list."""
    if meta.published:
        return _published_line(meta, meta.recorded)
    results = meta.results or Results()
    scenario = (results.scenario or "?") + _purpose(meta)
    return (results.model or "?", scenario, accuracy_text(meta), performance_text(meta), meta.recorded)


def _purpose(meta: ExperimentMeta) -> str:
    """The purpose of a run that is not a normal result: a compliance test, or a trial of a search for a target."""
    test = meta.options.compliance
    return f", {test}" if test else f", {TRIAL}" if TRIAL in meta.tags else ""


def _published_line(meta: ExperimentMeta, recorded: str) -> tuple[str, str, str, str, str]:
    found = figures(meta)
    value = "-" if found.value is None else f"{found.value:.6g} {found.unit}{'' if found.valid else ' (INVALID)'}"
    return found.model, found.scenario, "-" if found.mAP is None else f"{found.mAP:.4f}", value, recorded


def accuracy_text(meta: ExperimentMeta) -> str:
    """mAP of a run, from 0 to 1."""
    return f"{meta.results.accuracy.mAP:.4f}" if meta.results and meta.results.accuracy else "-"


def _figure(values: Mapping[str, float], key: str, form: str) -> str:
    """A formatted number of the record; ``?`` if it is missing."""
    return format(values[key], form) if key in values else "?"


def performance_text(meta: ExperimentMeta) -> str:
    """The scenario's metric with its unit, the bounded latency, and a mark if the run is not valid."""
    row = meta.results.performance if meta.results else None
    if row is None:
        return "-"
    scenario = scenario_of(meta)
    if scenario is None:
        return "?"
    figure = scenario.recorded_figure(write(row))
    if scenario.lower_is_better:
        text = f"{scenario.percentile_name} {'?' if figure is None else f'{figure:.3f}'} {scenario.unit}"
    else:
        form = ".1f" if scenario.target == "target_qps" else "g"
        text = f"{'?' if figure is None else format(figure, form)} {f'{scenario.figure_name} {scenario.unit}'.strip()}"
        text += f" (target {row.target_qps:g})" if scenario.latency_bound and row.target_qps else ""
        if scenario.latency_bound:
            text += f", {scenario.percentile_name} {_figure(row.latency_ms, scenario.percentile_name, '.2f')} ms"
            bound = bound_ms(meta)
            text += "" if bound is None else f" (bound {bound:g})"
        text += f" ({row.issuing})" if row.issuing else ""
    return text if row.valid else f"{text} (INVALID)"


def experiment_lines(name: str, meta: ExperimentMeta) -> list[str]:
    """The main results of an experiment."""
    return pair_lines(experiment_rows(name, meta))


def experiment_rows(name: str, meta: ExperimentMeta) -> list[tuple[str, str]]:
    """The table with two columns: property and value."""
    rows = [("experiment", name), ("recorded", meta.recorded)]
    if meta.published:
        return rows + _published_rows(meta, meta.published)
    return [*rows, *_subject_rows(meta), *_figure_rows(meta), *_machine_rows(meta), *_replay_rows(meta)]


def _published_rows(meta: ExperimentMeta, published: Published) -> list[tuple[str, str]]:
    """For a submitted result: the submitter, results, system, and what is missing."""
    system, settings = meta.system, meta.settings
    model, scenario, accuracy, performance, _ = _published_line(meta, "")
    whose = f"{published.submitter}, {published.division}"
    processor = f"{system.get('host_processors_per_node', '?')} × {system.get('host_processor_model_name', '?')}"
    accelerator = f"{system.get('accelerators_per_node', '?')} × {system.get('accelerator_model_name', '?')}"
    rows = [
        ("submitted", f"{whose}: {published.system} ({published.system_type or 'type not said'})"),
        ("model", model),
        ("scenario", f"{scenario}, LoadGen {settings.get('loadgen_version', '?')}"),
        ("accuracy", f"mAP {accuracy}"),
        ("performance", performance),
        ("target", ", ".join(f"{key} {settings[key]}" for key in _TARGETS if key in settings)),
        ("machine", f"{processor}; {accelerator}"),
        ("framework", str(system.get("framework", "?"))),
        ("compliance", ", ".join(f"{test} {verdict}" for test, verdict in meta.compliance.items()) or "none"),
    ]
    return rows + [("note", text) for text in meta.remarks]


def _replay_rows(meta: ExperimentMeta) -> list[tuple[str, str]]:
    """For a replay: the original experiment, and the verdict."""
    if meta.parent is None:
        return []
    verdict = meta.verdict
    outcome = [("verdict", f"{'REPRODUCED' if verdict.reproduced else 'NOT REPRODUCED'}: {verdict.why}")] if verdict else []
    return [("replay of" if "replay" in meta.tags else "parent", meta.parent.alias), *outcome]


def _subject_rows(meta: ExperimentMeta) -> list[tuple[str, str]]:
    """What was measured, and how."""
    results, model = meta.results or Results(), meta.model or Installed()
    official = ", official" if results.official else ""
    official += ", with the errors of the reference" if results.reference_faults else ""
    maker = model.component.alias if model.component else ""
    converted = f", by {maker}" if maker and maker != results.model else ""
    return [
        ("model", f"{results.model} ({model.digest[:12]}){converted}"),
        ("data set", f"{results.dataset}, {results.images} images"),
        ("backend", f"{results.backend} {results.backend_version} on {results.device}"),
        *([("options", setting_text(results.backend_options))] if results.backend_options else []),
        ("sessions", f"{results.sessions} × {_threads(results.threads)}, batch {results.batch_size}{_layout_source(results)}"),
        *([("processes", f"{results.processes}")] if results.processes > 1 else []),
        ("scenario", f"{results.scenario}{_purpose(meta)}, LoadGen {results.loadgen_version}{official}"),
        *_calibration_rows(results),
        *_compliance_rows(meta),
    ]


def setting_text(value: object) -> str:
    """A setting of the results as text: ``arena no, graph_level all`` for several options."""
    return ", ".join(f"{key} {value[key]}" for key in sorted(value)) if isinstance(value, Mapping) else str(value)


def _calibration_rows(results: Results) -> list[tuple[str, str]]:
    """For 8-bit arithmetic: the images that it was calibrated with."""
    found = results.calibration
    if found is None:
        return []
    source = f"of {results.dataset}, the data set itself" if found.source == "data set" else "from files"
    return [("calibration", f"{found.images} images {source} ({found.sha256[:12]})")]


def _compliance_rows(meta: ExperimentMeta) -> list[tuple[str, str]]:
    """For a compliance test: its verdict."""
    test, parent = meta.options.compliance, meta.parent.alias if meta.parent else ""
    if not test:
        return []
    if meta.verified:
        return [("compliance", f"{test} {'PASS' if meta.verified.passed else 'FAIL'}, compared with {parent}")]
    return [("compliance", f"{test}, compared with {parent or 'nothing: `ck audit` verifies'}")]


def _figure_rows(meta: ExperimentMeta) -> list[tuple[str, str]]:
    """The results."""
    results = meta.results or Results()
    rows = [("remark", text) for text in results.remarks]
    if found := results.accuracy:
        values = {"mAP": found.mAP, "AP50": found.AP50, "AP75": found.AP75}
        texts = [f"{key} {value:.4f}" for key, value in values.items() if value is not None]
        texts += [f"{found.detections} detections"] if found.detections is not None else []
        rows.append(("accuracy", ", ".join(texts)))
    if row := results.performance:
        more = ["VALID"] if row.valid else []
        more += [f"{row.duration_s:.1f} s"] if row.duration_s is not None else []
        rows.append(("performance", ", ".join([performance_text(meta), *more])))
        if row.latency_ms:
            rows.append(("latency, ms", ", ".join(f"{key} {value:.3f}" for key, value in row.latency_ms.items())))
        rows += [("", reason) for reason in explained(row.reasons, row.latency_ms, loadgen_of(meta), scenario_of(meta))]
        if row.profile:
            first, *others = profile_lines(row.profile)
            rows += [("profile", first), *(("", line) for line in others)]
    return rows


def _machine_rows(meta: ExperimentMeta) -> list[tuple[str, str]]:
    """The machine and the software."""
    machine, venv = meta.platform or Platform(), meta.venv or RecordedVenv()
    memory = f"{(machine.memory or 0) / 2**30:.0f} GiB"
    rows = [
        ("machine", f"{machine.cpu}, {machine.cores_usable} cores, {memory}, {machine.os}"),
        ("governor", f"{machine.governor}, load {machine.load}"),
        ("venv", f"{venv.name} ({venv.template}), Python {venv.python}, {len(venv.packages)} packages"),
    ]
    for alias, row in meta.repositories.items():
        changed = (" with changes" if row.changed else "") + (" (installed)" if row.installed else "")
        state = f" {row.commit[:12] or '?'}{changed}" if row.git else ", not under git"
        rows.append(("repository", alias + state))
    return rows


def _layout_source(results: Results) -> str:
    """The source of sessions, threads and batch size, if a measurement chose them."""
    if results.layout_source == "kept" and results.layout:
        return f", kept since {results.layout.measured[:10]}"
    return ", measured now" if results.layout_source == "measured" else ""


def _threads(count: int | None) -> str:
    return "the framework's default number of threads" if not count else f"{count} thread{'s' if count != 1 else ''}"

"""An experiment as a table that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.experiments.figures import TRIAL, figures, scenario_of

_TARGETS = ("target_qps", "target_latency_ns", "samples_per_query", "min_duration_ms", "min_query_count")


def summary_line(meta: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Model, scenario, mAP, performance and time of an experiment, for a list."""
    results, recorded = meta.get("results") or {}, str(meta.get("recorded", ""))
    if meta.get("published"):
        return _published_line(meta, recorded)
    return (
        str(results.get("model", "?")),
        str(results.get("scenario", "?")) + _purpose(meta),
        accuracy_text(results),
        performance_text(meta),
        recorded,
    )


def _purpose(meta: Mapping[str, Any]) -> str:
    """What a run was for, if not for its result: a compliance test, or a try of a search for a target."""
    test = (meta.get("options") or {}).get("compliance")
    return f", {test}" if test else ", trial" if TRIAL in (meta.get("tags") or ()) else ""


def _published_line(meta: Mapping[str, Any], recorded: str) -> tuple[str, str, str, str, str]:
    found = figures(meta)
    value = "-" if found.value is None else f"{found.value:.6g} {found.unit}{'' if found.valid else ' (INVALID)'}"
    return found.model, found.scenario, "-" if found.mAP is None else f"{found.mAP:.4f}", value, recorded


def accuracy_text(results: Mapping[str, Any]) -> str:
    """mAP of a run, on a scale of 0 to 1."""
    accuracy = results.get("accuracy")
    return _figure(accuracy, "mAP", ".4f") if accuracy else "-"


def _figure(row: Mapping[str, Any], key: str, form: str) -> str:
    """A number of the record in a form; ``?`` where it is missing."""
    value = row.get(key)
    return "?" if value is None else format(float(value), form)


def performance_text(meta: Mapping[str, Any]) -> str:
    """The scenario's figure with its unit, the latency that is bounded, and a mark when the run is not valid."""
    row = (meta.get("results") or {}).get("performance")
    if not row:
        return "-"
    scenario = scenario_of(meta)
    if scenario is None:
        return "?"
    figure, latency = scenario.recorded_figure(row), row.get("latency_ms") or {}
    if scenario.lower_is_better:
        text = f"{scenario.percentile_name} {'?' if figure is None else f'{figure:.3f}'} {scenario.unit}"
    else:
        form = ".1f" if scenario.target == "target_qps" else "g"
        text = f"{'?' if figure is None else format(figure, form)} {f'{scenario.figure_name} {scenario.unit}'.strip()}"
        if scenario.latency_bound:
            text += f", {scenario.percentile_name} {_figure(latency, scenario.percentile_name, '.2f')} ms"
        text += f" ({row['issuing']})" if row.get("issuing") else ""
    return text if row.get("valid") else f"{text} (INVALID)"


def experiment_lines(name: str, meta: Mapping[str, Any]) -> list[str]:
    """All that a person asks first of an experiment."""
    rows = experiment_rows(name, meta)
    width = max(len(key) for key, _ in rows)
    return [f"{key.ljust(width)}  {value}" for key, value in rows]


def experiment_rows(name: str, meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same in two columns: what, and its value."""
    results = meta.get("results") or {}
    rows = [("experiment", name), ("recorded", str(meta.get("recorded", "")))]
    if meta.get("published"):
        rows += _published_rows(meta)
    else:
        rows += [*_subject_rows(meta, results), *_figure_rows(meta), *_surroundings_rows(meta), *_replay_rows(meta)]
    return rows


def _published_rows(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of a submitted result: whose it is, what came out, on what, and what is missing."""
    told, system = meta.get("published") or {}, meta.get("system") or {}
    model, scenario, accuracy, performance, _ = _published_line(meta, "")
    settings = meta.get("settings") or {}
    whose = f"{told.get('submitter', '?')}, {told.get('division', '?')}"
    processor = f"{system.get('host_processors_per_node', '?')} × {system.get('host_processor_model_name', '?')}"
    accelerator = f"{system.get('accelerators_per_node', '?')} × {system.get('accelerator_model_name', '?')}"
    rows = [
        ("submitted", f"{whose}: {told.get('system', '?')} ({told.get('system_type') or 'type not said'})"),
        ("model", model),
        ("scenario", f"{scenario}, LoadGen {settings.get('loadgen_version', '?')}"),
        ("accuracy", f"mAP {accuracy}"),
        ("performance", performance),
        ("target", ", ".join(f"{key} {settings[key]}" for key in _TARGETS if key in settings)),
        ("machine", f"{processor}; {accelerator}"),
        ("framework", str(system.get("framework", "?"))),
        ("compliance", ", ".join(f"{test} {verdict}" for test, verdict in (meta.get("compliance") or {}).items()) or "none"),
    ]
    return rows + [("note", str(text)) for text in meta.get("remarks") or []]


def _replay_rows(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of a replay: what it is one of, and the verdict."""
    if not meta.get("parent"):
        return []
    verdict = meta.get("verdict") or {}
    word = "REPRODUCED" if verdict.get("reproduced") else "NOT REPRODUCED"
    outcome = [("verdict", f"{word}: {verdict.get('why', '?')}")] if verdict else []
    kind = "replay of" if "replay" in (meta.get("tags") or ()) else "parent"
    return [(kind, str(meta["parent"].get("alias"))), *outcome]


def _subject_rows(meta: Mapping[str, Any], results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was measured, and how."""
    official = ", official" if results.get("official") else ""
    official += ", with the faults of the reference" if results.get("reference_faults") else ""
    maker = str(((meta.get("model") or {}).get("component") or {}).get("alias", ""))
    converted = f", by {maker}" if maker and maker != results.get("model") else ""
    return [
        ("model", f"{results.get('model')} ({_digest(meta, 'model')[:12]}){converted}"),
        ("data set", f"{results.get('dataset')}, {results.get('images')} images"),
        ("backend", f"{results.get('backend')} {results.get('backend_version')} on {results.get('device')}"),
        ("sessions", f"{results.get('sessions')} × {_threads(results.get('threads'))}, batch {results.get('batch_size')}"),
        ("scenario", f"{results.get('scenario')}{_purpose(meta)}, LoadGen {results.get('loadgen_version')}{official}"),
        *_compliance_rows(meta),
    ]


def _compliance_rows(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of a compliance test: what it is worth by itself."""
    test = (meta.get("options") or {}).get("compliance")
    if not test:
        return []
    verified = meta.get("verified")
    parent = (meta.get("parent") or {}).get("alias")
    if verified:
        return [("compliance", f"{test} {'PASS' if verified.get('passed') else 'FAIL'}, held against {parent}")]
    against = parent or "nothing: `ck audit` verifies"
    return [("compliance", f"{test}, held against {against}")]


def _figure_rows(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What came out."""
    results = meta.get("results") or {}
    rows = [("remark", str(text)) for text in results.get("remarks", [])]
    if row := results.get("accuracy"):
        figures = [f"{key} {row[key]:.4f}" for key in ("mAP", "AP50", "AP75") if row.get(key) is not None]
        figures += [f"{row['detections']} detections"] if row.get("detections") is not None else []
        rows.append(("accuracy", ", ".join(figures)))
    if row := results.get("performance"):
        more = ["VALID"] if row["valid"] else []
        more += [f"{row['duration_s']:.1f} s"] if row.get("duration_s") is not None else []
        rows.append(("performance", ", ".join([performance_text(meta), *more])))
        if latency := row.get("latency_ms"):
            rows.append(("latency, ms", ", ".join(f"{key} {_figure(latency, key, '.3f')}" for key in latency)))
        rows += [("", reason) for reason in row.get("reasons") or []]
    return rows


def _surroundings_rows(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where it was measured, and with what."""
    machine, venv = meta.get("platform") or {}, meta.get("venv") or {}
    memory = f"{(machine.get('memory') or 0) / 2**30:.0f} GiB"
    packages = len(venv.get("packages") or {})
    rows = [
        ("machine", f"{machine.get('cpu')}, {machine.get('cores_usable')} cores, {memory}, {machine.get('os')}"),
        ("governor", f"{machine.get('governor')}, load {machine.get('load')}"),
        ("venv", f"{venv.get('name')} ({venv.get('template')}), Python {venv.get('python')}, {packages} packages"),
    ]
    for alias, row in (meta.get("repositories") or {}).items():
        row = row or {}
        changed = " with changes" if row.get("changed") else ""
        state = f" {str(row.get('commit', '?'))[:12]}{changed}" if row.get("git") else ", not under git"
        rows.append(("repository", alias + state))
    return rows


def _threads(count: Any) -> str:
    return "the framework's own number of threads" if not count else f"{count} thread{'s' if count != 1 else ''}"


def _digest(meta: Mapping[str, Any], part: str) -> str:
    return str((meta.get(part) or {}).get("digest", ""))

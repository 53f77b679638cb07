"""The report of one experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.errors import CKError
from ck_repo.experiments.profile import COLUMNS, profile_rows
from ck_repo.report import accuracy_charts
from ck_repo.report.gallery import Gallery, Judged, make_gallery
from ck_repo.report.latency_charts import latency_charts
from ck_repo.report.machine_charts import machine_charts
from ck_repo.report.machine_log import read_machine_log
from ck_repo.report.matching import calibration, confusion
from ck_repo.report.objects import read_objects
from ck_repo.report.origin import commands_section, origin_section
from ck_repo.report.page import page, write_page
from ck_repo.report.scoring import score
from ck_repo.report.section import GalleryForm, Section, Table, Tile
from ck_repo.report.subject import Subject
from ck_repo.report.verdict import verdict_of
from ck_repo.session import Session

_STEPS = 4


@dataclass(frozen=True)
class Report:
    """A written report: its file, its size in bytes, and what it does not have."""

    path: Path
    size: int
    left_out: tuple[str, ...]


def write_report(session: Session, subject: Subject, output: Path, *, overwrite: bool = False) -> Report:
    """Write the report of an experiment into one self-contained file."""
    with progress.task(f"report of {subject.name}", _STEPS, "steps") as task:
        performance = _performance_section(subject)
        task.advance_to(1, _STEPS, "accuracy")
        accuracy, images, gallery = _accuracy_sections(session, subject)
        task.advance_to(3, _STEPS, "page")
        machine = _machine_section(subject)
        sections = [performance, accuracy, images, machine, origin_section(subject), commands_section(subject)]
        shown = [section for section in sections if section is not None]
        text = page(
            "report.html",
            title=f"{subject.name}: report",
            charts=[chart for section in shown for chart in section.charts],
            gallery=gallery.data if gallery else None,
            name=subject.name,
            lead=lead_of(subject),
            verdict=verdict_of(subject),
            tiles=tiles_of(subject),
            notes=[str(text) for text in subject.results.get("remarks") or subject.meta.get("remarks") or []],
            sections=shown,
        )
        write_page(output, text, overwrite=overwrite)
    left = [note for section in shown for note in section.notes]
    return Report(output, output.stat().st_size, tuple(left))


def lead_of(subject: Subject) -> str:
    """A one-line description of the run."""
    results, found = subject.results, subject.figures
    if subject.meta.get("published"):
        details = subject.meta["published"]
        whose = f"{details.get('submitter')}, {details.get('system')}, {details.get('division')}, round {details.get('round')}"
        return f"{found.model}, {found.scenario}: {whose}"
    parts = [
        f"{results.get('model')} on {results.get('dataset')} ({results.get('images')} images)",
        f"{results.get('backend')} {results.get('backend_version')} on {results.get('device')}",
        f"{results.get('scenario')}{', official' if results.get('official') else ''}",
        str((subject.meta.get("platform") or {}).get("cpu", "")),
        str(subject.meta.get("recorded", "")),
    ]
    return " · ".join(part for part in parts if part)


def tiles_of(subject: Subject) -> list[Tile]:
    """The highlighted numbers."""
    found, scenario = subject.figures, subject.scenario
    tiles = []
    if found.value is not None:
        name = "performance" if scenario is None else scenario.figure_name or scenario.name
        tiles.append(Tile(name, f"{found.value:.5g}", found.unit))
    if found.mAP is not None:
        tiles.append(Tile("mAP", f"{found.mAP:.4f}", "IoU 0.5 to 0.95"))
    for key in ("AP50", "AP75"):
        if subject.accuracy.get(key) is not None:
            tiles.append(Tile(key, f"{float(subject.accuracy[key]):.4f}", f"IoU {int(key[2:]) / 100:g}"))
    latency: Mapping[str, Any] = subject.performance.get("latency_ms") or {}
    for key in ("p50", "p90", "p99"):
        if latency.get(key) is not None and not (scenario and scenario.one_query):
            tiles.append(Tile(f"{key} latency", f"{float(latency[key]):.4g}", "ms"))
    if subject.performance.get("queries") is not None:
        tiles.append(Tile("queries", f"{int(subject.performance['queries']):,}"))
    if subject.performance.get("duration_s") is not None:
        tiles.append(Tile("duration", f"{float(subject.performance['duration_s']):.1f}", "s"))
    return tiles


def _performance_section(subject: Subject) -> Section | None:
    latency = subject.performance.get("latency_ms") or {}
    if not latency and subject.queries is None:
        return None
    table = Table(
        "As logged by LoadGen",
        ("latency", "ms"),
        [(key.replace("_", "."), f"{float(value):.6f}") for key, value in latency.items()],
    )
    notes = []
    if subject.queries_problem:
        notes.append(f"The times of the queries cannot be read: {subject.queries_problem}")
    elif subject.queries is None:
        notes.append(
            "The times of single queries were not recorded, so there are no charts of their distribution: "
            "`ck run … --trace=yes` records them, in official and long runs, too."
        )
    tables = [table] if latency else []
    recorded = subject.record.results.performance if subject.record.results else None
    if recorded and recorded.profile:
        tables.append(Table("Where the time of a sample goes", COLUMNS, profile_rows(recorded.profile)))
    return Section("performance", "Performance", charts=latency_charts(subject), tables=tables, notes=notes)


def _accuracy_sections(session: Session, subject: Subject) -> tuple[Section | None, Section | None, Gallery | None]:
    if not subject.accuracy:
        return None, None, None
    try:
        truth, found = read_objects(session, subject)
    except CKError as error:
        notes = [f"There are no charts of accuracy and no images: {error.what}."]
        rows = [(key, f"{value:.4f}") for key, value in subject.accuracy.items() if isinstance(value, float)]
        return Section("accuracy", "Accuracy", tables=[Table("Figures", ("figure", "value"), rows)], notes=notes), None, None
    scores = score(truth, found)
    charts = [
        accuracy_charts.precision_recall(scores),
        accuracy_charts.size_chart(scores),
        accuracy_charts.class_chart(truth, scores),
        accuracy_charts.score_chart(found, scores),
        accuracy_charts.calibration_chart(calibration(found, scores)),
        accuracy_charts.confusion_chart(truth, confusion(truth, found, scores)),
    ]
    gallery = make_gallery(truth, [Judged(subject.name, found, scores)])
    again = scores.average()
    differs = again is not None and abs(again - float(subject.accuracy.get("mAP", again))) > 1e-6
    notes = [f"The log gives an mAP of {again:.6f}, which differs from the recorded one."] if differs else []
    images = Section("images", "Images", notes=gallery.notes, gallery=GalleryForm([subject.name]))
    return Section("accuracy", "Accuracy", charts=charts, notes=notes), images, gallery


def _machine_section(subject: Subject) -> Section | None:
    if subject.meta.get("published"):
        return None
    looks = read_machine_log(subject.folder)
    charts = machine_charts(looks, subject.queries)
    machine = subject.meta.get("platform") or {}
    memory = {"memory": f"{machine['memory'] / 2**30:.1f} GiB"} if machine.get("memory") else {}
    details = {key: value for key, value in {**machine, **memory}.items() if not isinstance(value, dict | list)}
    pairs = [(str(key).replace("_", " "), str(value)) for key, value in details.items()]
    notes = []
    if looks and not any(look.celsius is not None for look in looks):
        notes.append("This system has no readable temperature sensor.")
    if not looks:
        notes.append("Load, clock and temperature were not recorded.")
    return Section("machine", "Machine", charts=charts, pairs=pairs, notes=notes)

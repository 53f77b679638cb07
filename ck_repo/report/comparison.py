"""The report that compares several experiments with the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ck_repo import progress
from ck_repo.errors import CKError
from ck_repo.experiments.compare import Row, equal_detections, side_by_side, speeds
from ck_repo.report.accuracy_charts import class_scores
from ck_repo.report.chart import BAD, GOOD, Chart, data, nominal, quantity, tooltip
from ck_repo.report.gallery import Gallery, Judged, make_gallery
from ck_repo.report.latency_charts import percentile_chart
from ck_repo.report.objects import Truth, read_objects
from ck_repo.report.page import page, write_page
from ck_repo.report.scoring import SIZES, UNMATCHED, score
from ck_repo.report.section import GalleryForm, Section, Table
from ck_repo.report.single import Report
from ck_repo.report.subject import Subject
from ck_repo.report.verdict import verdict_of
from ck_repo.session import Session

_FIGURES = ("mAP", "performance", "p99", "speed relative to the first", "equal detections")
_SURE = 0.5  # score at which runs are compared on single images


def write_comparison(session: Session, subjects: Sequence[Subject], output: Path, *, overwrite: bool = False) -> Report:
    """Write the comparison of experiments into one self-contained file."""
    names = unique_names(subjects)
    with progress.task(f"comparison of {len(subjects)} experiments", 3, "steps") as task:
        rows = side_by_side([subject.entry for subject in subjects])
        task.advance_to(1, 3, "accuracy")
        accuracy, images, gallery = _accuracy(session, subjects, names)
        task.advance_to(2, 3, "page")
        sections = [_settings(rows, names), _performance(subjects, names), accuracy, _agreement(subjects, names), images]
        shown = [section for section in sections if section is not None]
        text = page(
            "comparison.html",
            title=f"{' · '.join(names)}: comparison",
            charts=[chart for section in shown for chart in section.charts],
            gallery=gallery.data if gallery else None,
            name=" · ".join(names),
            names=names,
            columns=[(name, verdict_of(subject), subject) for name, subject in zip(names, subjects, strict=True)],
            summary=_summary(subjects, names),
            sections=shown,
        )
        write_page(output, text, overwrite=overwrite)
    return Report(output, output.stat().st_size, tuple(note for section in shown for note in section.notes))


def unique_names(subjects: Sequence[Subject]) -> list[str]:
    """A name for each; equal names are preceded by the repository."""
    names = [subject.name for subject in subjects]
    return [
        name if names.count(name) == 1 else f"{each.entry.repository}:{name}"
        for name, each in zip(names, subjects, strict=True)
    ]


def _summary(subjects: Sequence[Subject], names: Sequence[str]) -> list[str]:
    """The summary: faster or slower, more or less accurate than the first."""
    found = []
    first = subjects[0]
    for name, subject, ratio in zip(names[1:], subjects[1:], speeds([each.entry for each in subjects])[1:], strict=True):
        parts = []
        if ratio is not None:
            parts.append(f"{ratio:.3f} times as fast{_apart(first, subject)}")
        if first.figures.mAP is not None and subject.figures.mAP is not None:
            gap = 100 * (subject.figures.mAP - first.figures.mAP)
            parts.append(f"mAP {gap:+.3f} points" if abs(gap) >= 0.0005 else "the same mAP")
        found.append(
            f"{name} is {', '.join(parts)}, compared with {names[0]}." if parts else f"{name} has no result to compare."
        )
    return found


def _apart(one: Subject, other: Subject) -> str:
    """Whether the intervals of two results are disjoint."""
    if one.interval is None or other.interval is None:
        return ""
    apart = one.interval[1] < other.interval[0] or other.interval[1] < one.interval[0]
    return " (the 95 % intervals are disjoint)" if apart else " (the 95 % intervals overlap)"


def _settings(rows: Sequence[Row], names: Sequence[str]) -> Section:
    """The different properties first, then the equal ones."""
    settings = [row for row in rows if row.name not in _FIGURES]
    differing, same = [row for row in settings if not row.same], [row for row in settings if row.same]
    tables = [Table("Differences", ("setting", *names), [(row.name, *row.values) for row in differing])] if differing else []
    tables.append(Table("Equal settings", ("setting", "in all"), [(row.name, row.values[0]) for row in same]))
    text = f"{len(differing)} settings differ, {len(same)} are equal."
    return Section("settings", "Settings", text, tables=tables)


def _performance(subjects: Sequence[Subject], names: Sequence[str]) -> Section | None:
    measured = [(name, each) for name, each in zip(names, subjects, strict=True) if each.figures.value is not None]
    if not measured:
        return None
    units = dict.fromkeys(each.figures.unit for _, each in measured)
    charts = [
        _figure_chart([row for row in measured if row[1].figures.unit == unit], unit, at) for at, unit in enumerate(units)
    ]
    logged = [
        (name, dict(each.performance.get("latency_ms") or {}))
        for name, each in measured
        if not (each.scenario and each.scenario.one_query)  # where a latency is the time since the start
    ]
    logged = [(name, {key: value for key, value in row.items() if key.startswith("p")}) for name, row in logged if row]
    if logged:
        charts.append(percentile_chart([name for name, _ in logged], [row for _, row in logged]))
    notes = [] if len(units) == 1 else ["The results have different units and cannot be compared."]
    if any(each.interval is None for _, each in measured):
        notes.append("Runs without recorded query times, and results that only depend on the load, have no interval.")
    return Section("performance", "Performance", charts=charts, notes=notes)


def _figure_chart(rows: Sequence[tuple[str, Subject]], unit: str, number: int) -> Chart:
    values = [
        {
            "run": name, "value": each.figures.value, "valid": "VALID" if each.figures.valid else "INVALID",
            **({"low": each.interval[0], "high": each.interval[1]} if each.interval else {}),
        }
        for name, each in rows
    ]  # fmt: skip
    y = nominal("run", None, sort=None, axis={"labelLimit": 200})
    known = [row for row in values if "low" in row]
    spread = {
        "data": data(known, "intervals"),
        "mark": {"type": "rule", "color": "var(--fg)", "strokeWidth": 2},
        "encoding": {"y": y, "x": quantity("low", unit), "x2": {"field": "high"}},
    }
    spec = {
        "data": data(values),
        "height": max(60, 40 * len(values)),
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 2, "opacity": 0.8},
                "encoding": {
                    "y": y, "x": quantity("value", unit),
                    "tooltip": tooltip(("run", "run"), ("value", unit, ".6g"), ("valid", "verdict")),
                },
            },
            *([spread] if known else []),
        ],
    }  # fmt: skip
    table = [
        (row["run"], f"{row['value']:.6g}", f"{row['low']:.6g} to {row['high']:.6g}" if "low" in row else "–", row["valid"])
        for row in values
    ]
    better = "Lower is better." if rows[0][1].figures.lower_is_better else "Higher is better."
    text = f"{better} The line is the 95 % interval from the run's own queries."
    title = f"Result, {unit}" if number else "Performance"
    return Chart(f"figure-{number}", title, text, spec, ("run", unit, "95 % interval", "verdict"), table)


def _accuracy(
    session: Session, subjects: Sequence[Subject], names: Sequence[str]
) -> tuple[Section | None, Section | None, Gallery | None]:
    """Differences of AP by class, and the images of runs on the same data set."""
    notes: list[str] = []
    truths: list[Truth] = []
    judged: list[Judged] = []
    for name, subject in zip(names, subjects, strict=True):
        try:
            truth, found = read_objects(session, subject)
        except CKError as error:
            notes.append(f"{name} is omitted: {error.what}.")
            continue
        if truths and not _same_images(truths[0], truth):
            notes.append(f"{name} is omitted: it used other images than {judged[0].name}.")
            continue
        truths.append(truth)
        judged.append(Judged(name, found, score(truth, found)))
    if not judged:
        return (Section("accuracy", "Accuracy", notes=notes) if notes else None), None, None
    truth, section = truths[0], Section("accuracy", "Accuracy", notes=notes)
    if len(judged) > 1:
        charts = [_class_differences(truth, judged[0], other, at) for at, other in enumerate(judged[1:], 1)]
        table = Table("Figures", ("figure", *(run.name for run in judged)), _figure_rows(judged))
        section = Section("accuracy", "Accuracy", charts=charts, tables=[table], notes=notes)
    gallery = make_gallery(truth, judged, first=_disputed(truth, judged))
    form = GalleryForm([run.name for run in judged])
    return section, Section("images", "Images", notes=gallery.notes, gallery=form), gallery


def _same_images(one: Truth, other: Truth) -> bool:
    return (
        list(one.images) == list(other.images)
        and one.categories == other.categories
        and np.array_equal(one.box, other.box)
        and np.array_equal(one.category, other.category)
    )


def _figure_rows(judged: Sequence[Judged]) -> list[tuple[str, ...]]:
    kinds: list[tuple[str, str, float | None]] = [("AP", "all", None), ("AP50", "all", 0.5), ("AP75", "all", 0.75)]
    kinds += [(f"AP {size}", size, None) for size in SIZES[1:]]
    rows = []
    for name, size, iou in kinds:
        values = [run.scores.average(size=size, iou=iou) for run in judged]
        rows.append((name, *("–" if value is None else f"{value:.4f}" for value in values)))
    return rows


def _class_differences(truth: Truth, first: Judged, other: Judged, number: int) -> Chart:
    before = {row.name: row.ap for row in class_scores(truth, first.scores)}
    rows = [
        {
            "class": row.name, "difference": row.ap - before[row.name], "before": before[row.name],
            "after": row.ap, "objects": row.objects,
        }
        for row in sorted(class_scores(truth, other.scores), key=lambda row: row.ap - before[row.name])
    ]  # fmt: skip
    spec = {
        "data": data(rows),
        "height": 18 * max(2, len(rows)),
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "y": nominal("class", None, sort=None, axis={"labelLimit": 160}),
            "x": quantity("difference", "difference of AP"),
            "color": {"condition": {"test": "datum.difference < 0", "value": BAD}, "value": GOOD},
            "tooltip": tooltip(
                ("class", "class"), ("before", first.name, ".4f"), ("after", other.name, ".4f"),
                ("difference", "difference", "+.4f"), ("objects", "objects", ","),
            ),
        },
    }  # fmt: skip
    table = [(row["class"], f"{row['before']:.4f}", f"{row['after']:.4f}", f"{row['difference']:+.6f}") for row in rows]
    text = f"{other.name} minus {first.name}, the largest losses first."
    columns = ("class", first.name, other.name, "difference")
    return Chart(f"ap-difference-{number}", f"AP by class: {other.name}", text, spec, columns, table)


def _disputed(truth: Truth, judged: Sequence[Judged]) -> list[int]:
    """Images on which the runs disagree, the largest differences first."""
    if len(judged) < 2:
        return []
    states = [_state(truth, run) for run in judged]
    gaps = {
        image: sum(abs(row[image][part] - states[0][image][part]) for row in states for part in (0, 1))
        for image in truth.images
    }
    return sorted((image for image, gap in gaps.items() if gap), key=lambda image: -gaps[image])


def _state(truth: Truth, run: Judged) -> dict[int, tuple[int, int]]:
    """Numbers of found objects and false detections of each image, at a score of 0.5."""
    finder = run.scores.finder
    sure = np.zeros(len(finder), dtype=bool)
    sure[finder >= 0] = run.found.score[finder[finder >= 0]] >= _SURE
    false = (run.scores.state == UNMATCHED) & (run.found.score >= _SURE)
    counts = {image: [0, 0] for image in truth.images}
    for part, images in enumerate((truth.image[sure], run.found.image[false])):
        for image in images.tolist():
            counts[image][part] += 1
    return {image: (row[0], row[1]) for image, row in counts.items()}


def _agreement(subjects: Sequence[Subject], names: Sequence[str]) -> Section | None:
    """The share of equal detections, as TEST01 requires it for two runs of one system."""
    shares = equal_detections([subject.entry for subject in subjects])
    rows = [
        (name, "not comparable" if share is None else f"{100 * share:.3f} %")
        for name, share in zip(names[1:], shares[1:], strict=True)
    ]
    text = (
        f"The share of detections that are equal to those of {names[0]}: same image and class, boxes and scores within 0.002. "
        "The same model on the same framework gives nearly 100 %."
    )
    return Section("agreement", "Agreement", text, tables=[Table("Equal detections", ("run", "equal detections"), rows)])

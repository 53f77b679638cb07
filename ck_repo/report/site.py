"""A static site of all experiments: tables, charts, and a page for each."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import CKError, ConflictError
from ck_repo.experiments.published import all_published
from ck_repo.experiments.published_figure import Published
from ck_repo.report import vega
from ck_repo.report.chart import Chart
from ck_repo.report.latency_charts import latency_charts
from ck_repo.report.origin import commands_section, origin_section
from ck_repo.report.output import output_errors
from ck_repo.report.page import asset, is_page, page
from ck_repo.report.section import Section
from ck_repo.report.single import lead_of, tiles_of
from ck_repo.report.site_charts import pareto_charts, placement_charts, trend_charts
from ck_repo.report.site_rows import SiteRow
from ck_repo.report.subject import subject_of
from ck_repo.report.verdict import verdict_of
from ck_repo.session import Session
from ck_repo.store.search import find

_MAX_QUERIES = 20_000  # maximum samples of a run whose latency a site draws; reports draw all
FILTERS = ("kind", "model", "backend", "precision", "device", "scenario", "machine", "verdict")


@dataclass(frozen=True)
class Site:
    """A written site: its first page, the number of experiments, and what it does not have."""

    index: Path
    experiments: int
    published: int
    left_out: tuple[str, ...]


def write_site(session: Session, folder: Path, *, overwrite: bool = False) -> Site:
    """Write a site into a folder. Pages of removed experiments are kept, so that links stay valid.

    Raises
    ------
    ConflictError
        If the folder has other content.
    """
    _refuse_others(folder, overwrite)
    rows, left = site_rows(session)
    published = all_published(session)
    with output_errors(folder):
        for name in ("experiments", "assets"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("page.css", "page.js"):
            _write(folder / "assets" / name, asset(name))
        _write(folder / "assets" / "vega.js", f"/* {asset('vega-licence.txt')} */\n{vega.library()}")
        with progress.task("site", len(rows), "pages") as task:
            for number, row in enumerate(rows, 1):
                _write(folder / row.page, _experiment_page(row))
                task.advance_to(number)
        trends = trend_charts(rows)
        if trends.left_out:
            left.append(f"{trends.left_out} trends with fewer runs are not drawn")
        _write(folder / "published.html", _published_page(rows, published))
        _write(folder / "trends.html", _charts_page("Trends", "trends", trends.charts, len(rows)))
        _write(folder / "index.html", _index_page(rows, published, left))
    return Site(folder / "index.html", len(rows), len(published), tuple(left))


def _write(path: Path, text: str) -> None:
    """Write a page without flushing it to the disk, because the site can be written again."""
    path.write_text(text, encoding="utf-8")


def _refuse_others(folder: Path, overwrite: bool) -> None:
    if not folder.exists() or overwrite:
        return
    index = folder / "index.html"
    ours = index.is_file() and is_page(index)
    if not folder.is_dir() or (any(folder.iterdir()) and not ours):
        raise ConflictError(
            f"{folder} has files that ck did not write", hint="choose another or an empty folder with --output="
        )


def site_rows(session: Session) -> tuple[list[SiteRow], list[str]]:
    """Every readable experiment, the latest first; and what was skipped."""
    rows, unreadable = [], 0
    for entry in find(session.repositories, "experiment"):
        try:
            row = SiteRow(subject_of(entry))
            _ = row.subject.figures
            rows.append(row)
        except CKError:
            unreadable += 1
    rows.sort(key=lambda row: (row.recorded, row.name), reverse=True)
    return rows, [f"{unreadable} experiments, of stock CK or damaged, cannot be read"] if unreadable else []


def _index_page(rows: Sequence[SiteRow], published: Sequence[Published], left: Sequence[str]) -> str:
    return page(
        "site_index.html",
        title="Experiments",
        charts=(charts := pareto_charts(rows)),
        assets="assets",
        rows=rows,
        filters=[(name, sorted({str(getattr(row, name)) for row in rows if getattr(row, name)})) for name in FILTERS],
        shown_charts=charts,
        published=len(published),
        notes=left,
    )


def _charts_page(title: str, current: str, charts: Sequence[Chart], count: int) -> str:
    return page(
        "site_charts.html", title=title, charts=charts, assets="assets", current=current, shown_charts=charts, count=count
    )


def _published_page(rows: Sequence[SiteRow], published: Sequence[Published]) -> str:
    charts = placement_charts(rows, published)
    filters = {
        "round": sorted({row.round for row in published}), "model": sorted({row.model for row in published}),
        "scenario": sorted({row.scenario for row in published}), "division": sorted({row.division for row in published}),
        "submitter": sorted({row.submitter for row in published}),
    }  # fmt: skip
    return page(
        "site_published.html", title="Published results", charts=charts, assets="assets", shown_charts=charts,
        published=published, filters=list(filters.items()),
    )  # fmt: skip


def _experiment_page(row: SiteRow) -> str:
    subject, notes = row.subject, []
    target = shlex.quote(f"experiment:{row.name}")
    charts = []
    if subject.queries is not None and len(subject.queries) <= _MAX_QUERIES:
        charts = latency_charts(subject)
    elif subject.queries is not None:
        notes.append(f"Latencies of more than {_MAX_QUERIES:,} samples are only drawn by `ck report {target}`.")
    sections = [
        Section("performance", "Performance", charts=charts, notes=notes) if charts or notes else None,
        origin_section(subject),
        commands_section(subject),
    ]
    again = Section("full", "More", commands=[f"ck report {target}    # with accuracy by class and the images"])
    shown = [section for section in (*sections, again) if section is not None]
    return page(
        "site_experiment.html",
        title=row.name,
        charts=charts,
        assets="../assets",
        name=row.name,
        lead=lead_of(subject),
        verdict=verdict_of(subject),
        tiles=tiles_of(subject),
        notes=[str(text) for text in subject.results.get("remarks") or subject.meta.get("remarks") or []],
        sections=shown,
    )

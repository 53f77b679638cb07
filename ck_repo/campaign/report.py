"""The page of a campaign: results by machine with their front, or the search for settings, and links to reports of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import TUNE, Campaign
from ck_repo.campaign.result_charts import front_charts, machine_charts
from ck_repo.campaign.results import Row, counts, results
from ck_repo.campaign.results_table import best_first, by_machine, table
from ck_repo.campaign.study_charts import goals_chart, goals_of, history_charts, importance_charts
from ck_repo.campaign.trials import read_trials
from ck_repo.campaign.verdict_lines import settings_text
from ck_repo.errors import CKError, InstallError
from ck_repo.report.page import page, write_page
from ck_repo.report.section import Section, Table
from ck_repo.report.single import Report, write_report
from ck_repo.report.subject import subject_of
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.search import find

FRONT, ALL, NONE = "front", "all", "none"
RUNS = (FRONT, ALL, NONE)


def write_campaign(session: Session, campaign: Campaign, output: Path, *, runs: str = FRONT, overwrite: bool = False) -> Report:
    """Write the page of a campaign.

    Parameters
    ----------
    runs
        Which runs of a sweep get a report, which the page links: ``front`` (those on the Pareto front), ``all``, ``none``.
        Reports are written into the folder ``NAME-runs`` beside the page.

    Raises
    ------
    ConflictError
        If `output` is there and is not a page that ck wrote.
    """
    search = campaign.kind == TUNE
    rows = [] if search else best_first(results(session, campaign))
    sections = _search_sections(campaign) if search else []
    if not search:
        found = counts(campaign)
        links = _write_runs(session, rows, output, runs, overwrite=overwrite)
        sections = _sweep_sections(campaign, rows, links)
        lead = f"sweep · {found['cells']} cells · {found['runs']} runs · {found['left']} left"
    else:
        lead = f"search for settings · {', '.join(goal.name for goal in goals_of(campaign.entry.meta()))}"
    shown = [*sections, _commands(session, campaign)]
    text = page(
        "sections.html",
        title=f"{campaign.entry.alias}: campaign",
        charts=[chart for section in shown for chart in section.charts],
        name=campaign.entry.alias,
        lead=lead,
        sections=shown,
    )
    write_page(output, text, overwrite=overwrite)
    return Report(output, output.stat().st_size, tuple(note for section in shown for note in section.notes))


def _sweep_sections(campaign: Campaign, rows: Sequence[Row], links: dict[str, str]) -> list[Section]:
    header, cells = table(rows, list(campaign.definition.matrix.axes))
    linked = [(*found, _links(row, links)) for row, found in zip(rows, cells, strict=True)]
    charts = front_charts(rows)
    best = [row for row in rows if row.on_front]
    text = f"{len(best)} of {len(rows)} results are on the Pareto front: no other is faster and at least as accurate."
    notes = [] if charts else ["No cell has both a valid figure and an accuracy, so there is no front."]
    sections = [Section("front", "Speed and accuracy", text if charts else "", charts=charts, notes=notes)]
    if len({row.machine for row in rows if row.machine}) > 1:
        columns, lines = by_machine(rows)
        compared = Table("Each cell on each machine, with its speed relative to the fastest", columns, lines)
        sections.append(Section("machines", "Machines", charts=machine_charts(rows), tables=[compared]))
    return [*sections, Section("results", "Results", tables=[Table("Cells, the best first", (*header, "reports"), linked)])]


def _links(row: Row, links: dict[str, str]) -> object:
    """Links to the reports of a row's runs, and the names of those without one."""
    from markupsafe import Markup

    link = Markup('<a href="{}">{}</a>')
    names = [
        link.format(links[entry.uid], entry.alias) if entry.uid in links else entry.alias for entry in row.experiments
    ]  # fmt: skip
    return Markup(", ").join(names)


def _write_runs(session: Session, rows: Sequence[Row], output: Path, runs: str, *, overwrite: bool) -> dict[str, str]:
    """Write the reports of runs; their addresses relative to the page, by UID."""
    wanted: list[Entry] = [
        entry for row in rows if runs == ALL or (runs == FRONT and row.on_front) for entry in row.experiments
    ]
    folder = output.with_name(f"{output.stem}-runs")
    links = {}
    with progress.task("reports of runs", len(wanted), "reports") as task:
        for number, entry in enumerate(wanted, 1):
            name = f"{entry.uid}.html"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                write_report(session, subject_of(entry), folder / name, overwrite=overwrite)
            except CKError as error:
                progress.warn(f"no report of {entry.cid}: {error.what}")
                continue
            links[entry.uid] = f"{folder.name}/{name}"
            task.advance_to(number)
    return links


def _search_sections(campaign: Campaign) -> list[Section]:
    meta = campaign.entry.meta()
    goals = goals_of(meta)
    sections = []
    if verdicts := meta.get("verdicts"):
        rows = [(name, *_verdict(verdict)) for name, verdict in verdicts.items()]
        columns = ("goal", "settings", "speed relative to the default", "95 % interval", "runs", "default's runs", "outcome")
        found = Table("The best settings against the default choice, by pairs of runs", columns, rows)
        sections.append(Section("verdict", "Confirmation", tables=[found]))
    try:
        trials = read_trials(campaign.entry.path, meta, goals)
    except InstallError as error:
        return [*sections, Section("search", "Search", notes=[f"The trials cannot be read: {error.what} ({error.hint})."])]
    if trials is None:
        return [*sections, Section("search", "Search", notes=["There is no trial yet."])]
    rows_, front = trials.rows(), trials.front()
    if chart := goals_chart(goals, rows_, [row.number for row in front]):
        sections.append(Section("front", "Front", charts=[chart]))
    importance = importance_charts(trials.importance())
    notes = [] if importance else ["Too few trials, or too little variation among them, to say which setting matters."]
    sections.append(Section("search", "Search", charts=[*history_charts(goals, rows_), *importance], notes=notes))
    lines = [
        (row["number"], settings_text(row["values"]), row["state"], *(_figure(row, goal.name) for goal in goals), row["why"])
        for row in rows_
    ]
    names = ("trial", "settings", "state", *(f"{goal.name}, {goal.unit}" for goal in goals), "why")
    return [*sections, Section("trials", "Trials", tables=[Table("Every trial", names, lines)])]


def _verdict(row: Mapping[str, Any]) -> tuple[str, ...]:
    interval = row.get("interval")
    return (
        settings_text(row["values"]),
        f"{row['ratio']:.3f}",
        "-" if interval is None else f"{interval[0]:.3f} – {interval[1]:.3f}",
        ", ".join(f"{value:.5g}" for value in row["winner"]),
        ", ".join(f"{value:.5g}" for value in row["default"]),
        "faster" if row.get("beats_default") else "not faster beyond doubt: the default choice is used",
    )


def _figure(row: Mapping[str, Any], goal: str) -> str:
    figure = row["figures"].get(goal)
    return "-" if figure is None else f"{figure:.5g}"


def _commands(session: Session, campaign: Campaign) -> Section:
    lines = [f"ck show {campaign.entry.cid}"]
    if campaign.kind == TUNE:
        program = next(iter(find(session.repositories, "program", campaign.definition.program)), None)
        lines += [f"ck run {program.cid} --tuned"] if program else []
    else:
        lines += [
            f"ck compare {campaign.entry.cid}    # its machines and cells",
            "ck compare experiment:A experiment:B    # two runs side by side",
            "ck report experiment:A",
        ]
    return Section("commands", "Commands", commands=lines)

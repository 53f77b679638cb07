"""Campaigns: list, show, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import LISTING, REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_archive import OVERWRITE
from ck_repo.actions.entry_data import content_of, row_of, rows_of
from ck_repo.actions.entry_selection import matching, one
from ck_repo.actions.experiment_report import OPEN
from ck_repo.actions.experiment_report import show as show_page
from ck_repo.actions.request import Request
from ck_repo.errors import CKError
from ck_repo.store.query import is_pattern
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.campaign.campaign import Campaign
    from ck_repo.session import Session

ACTIONS: Actions = {}
REPORT = Option("report", "write the campaign's page at the end, too, as `ck report campaign:NAME` does", kind="flag")


@action(
    ACTIONS,
    "ls",
    "list campaigns with their options and progress",
    example="ck ls campaign",
    options=[TAGS, REPOSITORY, *LISTING],
)
def ls(request: Request) -> Answer:
    """List campaigns, the oldest first; for an unreadable one show the reason."""
    from ck_repo.campaign.campaign import TUNE, read_campaign
    from ck_repo.campaign.results import counts

    entries = matching(request, needed=not is_pattern(request.entry))
    rows, listed = [], []
    for entry, data in zip(entries, rows_of(request, entries), strict=True):
        try:
            campaign, meta = read_campaign(entry), entry.meta()
            created = str(meta.get("created", ""))
            found = dict(counts(campaign))
            if campaign.kind == TUNE:
                found = {"cells": 0, "runs": sum((meta.get("trials") or {}).values()), "left": 0}
        except CKError as error:
            rows.append(("", entry.alias, f"unreadable: {error.what}", "", "", ""))
            listed.append({**data, "error": error.what})
            continue
        varied = ", ".join(campaign.definition.matrix.axes) or "-"
        rows.append(
            (created, entry.alias, campaign.kind, varied, str(found["cells"]), f"{found['runs']}, {found['left']} left")
        )
        listed.append({**data, "kind": campaign.kind, "varied": list(campaign.definition.matrix.axes), **found})
    rows.sort()
    header = ("campaign", "kind", "varied", "cells", "runs", "created")
    lines = table_lines(header, [(*cells, created) for created, *cells in rows])
    return Answer({"lst": listed}, lines if rows else ["there is no campaign yet: `ck sweep program:object-detection --help`"])


@action(
    ACTIONS,
    "show",
    "show a campaign's results as a table, with the Pareto front of speed and accuracy",
    example="ck show campaign:sweep-1f2e3d4c",
    options=[TAGS, REPOSITORY],
)
def show(request: Request) -> Answer:
    """Show a campaign."""
    from ck_repo.campaign.campaign import TUNE, read_campaign
    from ck_repo.campaign.verdict_lines import verdict_lines

    entry = one(request)
    campaign = read_campaign(entry)
    if campaign.kind == TUNE:
        meta = entry.meta()
        data = {**content_of(entry), **{name: meta.get(name) for name in ("goals", "verdicts", "front", "trials")}}
        return Answer(data, [f"{entry.cid}:", *verdict_lines(meta), "", f"folder: {entry.path}"])
    answer = campaign_answer(request.session, campaign)
    return Answer({**content_of(entry), **answer.data}, [*answer.lines, "", f"folder: {entry.path}"])


@action(
    ACTIONS,
    "report",
    "write a page of a campaign: table, charts with the Pareto front, machines side by side, links to the reports of its runs",
    example="ck report campaign:sweep-1f2e3d4c --open",
    options=[
        TAGS,
        REPOSITORY,
        Option(
            "runs",
            "the runs of a sweep that get a report: those on the front (default), all, none",
            choices=("front", "all", "none"),
        ),
        Option("output", "the file to write (default ck-report-NAME.html); reports of runs go to NAME-runs/", value="FILE"),
        OPEN,
        OVERWRITE,
    ],
)
def report(request: Request) -> Answer:
    """Write the page of a campaign."""
    from ck_repo.campaign.campaign import read_campaign

    campaign = read_campaign(one(request))
    done = page_answer(
        request.session,
        campaign,
        output=request.text("output"),
        runs=request.text("runs") or "front",
        overwrite=request.flag("overwrite"),
    )
    if request.flag("open"):
        show_page(Path(str(done.data["path"])))
    return done


def page_answer(
    session: Session, campaign: Campaign, *, output: str = "", runs: str = "front", overwrite: bool = False
) -> Answer:
    """Write the page of a campaign."""
    from ck_repo.report.requirements import ensure_packages

    ensure_packages()
    from ck_repo.campaign.report import write_campaign

    entry = campaign.entry
    path = Path(output or f"ck-report-{entry.alias}.html").expanduser().absolute()
    done = write_campaign(session, campaign, path, runs=runs, overwrite=overwrite)
    lines = [f"report: {done.path} ({done.size / 1e6:.1f} MB)", *(f"note: {text}" for text in done.left_out)]
    return Answer({**row_of(entry), "path": str(done.path), "bytes": done.size, "notes": list(done.left_out)}, lines)


def with_page(request: Request, campaign: Campaign, answer: Answer) -> Answer:
    """The answer of a command, with the campaign's page if `--report` is given."""
    if not request.flag("report"):
        return answer
    done = page_answer(request.session, campaign)
    return replace(answer, data={**answer.data, "report": done.data["path"]}, lines=[*answer.lines, *done.lines])


def campaign_answer(session: Session, campaign: Campaign) -> Answer:
    """The results of a campaign, as data and as a table."""
    from ck_repo.campaign.results import counts, results
    from ck_repo.campaign.results_table import best_first, by_machine, table

    rows = results(session, campaign)
    axes = campaign.definition.matrix.axes
    found = counts(campaign)
    header, cells = table(best_first(rows), list(axes))
    data: dict[str, object] = {
        "campaign": row_of(campaign.entry),
        **found,
        "rows": [row.as_data() for row in rows],
        "front": [row.cell.key for row in rows if row.on_front],
    }
    lines = [f"{campaign.entry.cid}: {found['cells']} cells, {found['runs']} runs, {found['left']} left", ""]
    lines += table_lines(header, cells)
    if any(row.on_front for row in rows):
        lines.append("* Pareto front: no other row is faster and at least as accurate")
    machines, compared = by_machine(rows)
    if len(machines) > 2:
        lines += [
            "",
            "each cell on each machine, with its speed relative to the fastest:",
            "",
            *table_lines(machines, compared),
        ]
    return Answer(data, lines)

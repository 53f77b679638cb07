"""Experiments: reports and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry import OVERWRITE, all_matching, row_of
from ck_repo.actions.request import Request
from ck_repo.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from ck_repo.store.entry import Entry

ACTIONS: Actions = {}
OPEN = Option("open", "open the page in the browser", kind="flag")


@action(
    ACTIONS,
    "report",
    "a page of charts and pictures of an experiment, or of several side by side",
    example="ck report experiment:mlperf-result1 --open",
    usage="ck report experiment:A [experiment:B …] [--output=FILE]",
    options=[
        TAGS,
        REPOSITORY,
        Option("output", "the file to write (default ck-report-NAME.html)", value="FILE"),
        OPEN,
        OVERWRITE,
    ],
    more_entries=True,
)
def report(request: Request) -> Answer:
    """Write a report."""
    from ck_repo.report.requirements import ensure_packages

    chosen = _chosen(request)
    ensure_packages()
    return write(request, chosen)


def write(request: Request, chosen: list[Entry]) -> Answer:
    """Write the report of an experiment."""
    from ck_repo.report.single import write_report
    from ck_repo.report.subject import subject_of
    from ck_repo.store.repositories import Repositories

    subjects = [subject_of(entry) for entry in chosen]
    output = Path(request.text("output") or f"ck-report-{chosen[0].alias}.html").expanduser().absolute()
    done = write_report(Repositories(), subjects[0], output, overwrite=request.flag("overwrite"))
    lines = [f"report: {done.path} ({done.size / 1e6:.1f} MB)", *(f"note: {text}" for text in done.left_out)]
    if request.flag("open"):
        show(done.path)
    data = {"path": str(done.path), "bytes": done.size, "notes": list(done.left_out)}
    return Answer({**data, "lst": [row_of(entry) for entry in chosen]}, lines)


def _chosen(request: Request) -> list[Entry]:
    """The experiments that are named; without a name and tags the latest."""
    from ck_repo.actions.experiment import shown

    if not request.entry and not request.text("tags") and not request.more:
        return shown(request)
    found = all_matching(replace(request, target=replace(request.target, entry=request.entry or "*")))
    if others := [entry for entry in found if entry.module != "experiment"]:
        raise UsageError(f"{others[0].cid} is not an experiment", hint="`ck report experiment:A experiment:B`")
    if not found:
        raise NotFoundError("no experiment yet", hint="`ck run program:object-detection` makes one")
    return found


def show(path: Path) -> None:
    """Open a page in the user's browser."""
    import webbrowser

    webbrowser.open(path.as_uri())

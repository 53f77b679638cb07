"""Experiments: reports and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo import progress
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
    usage="ck report experiment:A [experiment:B …] [--output=FILE] | ck report --all [--output=FOLDER]",
    options=[
        TAGS,
        REPOSITORY,
        Option("all", "a site of all experiments and published results, in the folder --output= (default site)", kind="flag"),
        Option("serve", "with --all: show the site at an address of this machine, and keep it up to date", kind="flag"),
        Option("port", "with --serve: the port (default: any that is free)", kind="whole", least=0, value="N"),
        Option("output", "the file to write (default ck-report-NAME.html, ck-report-comparison.html)", value="FILE"),
        OPEN,
        OVERWRITE,
    ],
    more_entries=True,
    module_implied=True,
)
def report(request: Request) -> Answer:
    """Write a report."""
    from ck_repo.report.requirements import ensure_packages

    if request.flag("all"):
        return _site(request)
    if request.flag("serve"):
        raise UsageError("--serve shows a site", hint="`ck report --all --serve`")
    chosen = _chosen(request)
    ensure_packages()
    return write(request, chosen)


def _site(request: Request) -> Answer:
    """Write a site, and show it if that is asked for."""
    from ck_repo.report.requirements import ensure_packages
    from ck_repo.store.repositories import Repositories

    if request.entry or request.more or request.text("tags"):
        raise UsageError("--all takes every experiment", hint="leave out names and --tags, or leave out --all")
    ensure_packages()
    from ck_repo.report.site import write_site

    folder = Path(request.text("output") or "site").expanduser().absolute()
    done = write_site(Repositories(), folder, overwrite=request.flag("overwrite"))
    lines = [f"site: {done.index}, {done.experiments} experiments, {done.published} published results"]
    lines += [f"note: {text}" for text in done.left_out]
    if request.flag("serve"):
        from ck_repo.report.serve import serve

        for line in lines:
            progress.say(line)
        serve(folder, request.whole("port") or 0, show=request.flag("open"))
    elif request.flag("open"):
        show(done.index)
    data = {"path": str(done.index), "experiments": done.experiments, "published": done.published}
    return Answer({**data, "notes": list(done.left_out)}, lines)


def write(request: Request, chosen: list[Entry]) -> Answer:
    """Write the report of an experiment, or the comparison of several."""
    from ck_repo.report.comparison import write_comparison
    from ck_repo.report.single import write_report
    from ck_repo.report.subject import subject_of
    from ck_repo.store.repositories import Repositories

    subjects = [subject_of(entry) for entry in chosen]
    name = chosen[0].alias if len(chosen) == 1 else "comparison"
    output = Path(request.text("output") or f"ck-report-{name}.html").expanduser().absolute()
    overwrite = request.flag("overwrite")
    if len(subjects) == 1:
        done = write_report(Repositories(), subjects[0], output, overwrite=overwrite)
    else:
        done = write_comparison(Repositories(), subjects, output, overwrite=overwrite)
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

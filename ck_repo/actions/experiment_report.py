"""Experiments: reports and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo import progress
from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_archive import OVERWRITE
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import all_matching
from ck_repo.actions.request import Request
from ck_repo.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from ck_repo.report.subject import Subject
    from ck_repo.store.entry import Entry

ACTIONS: Actions = {}
FORMATS = ("csv", "parquet", "json", "markdown", "latex", "coco", "trace", "mlflow")
SUFFIXES = {"csv": "csv", "json": "json", "markdown": "md", "latex": "tex"}
OPEN = Option("open", "open the page in the browser", kind="flag")


@action(
    ACTIONS,
    "report",
    "write a page with charts and images of an experiment, or compare several",
    example="ck report experiment:mlperf-result1 --open",
    usage="ck report experiment:A [experiment:B …] [--output=FILE] | ck report --all [--output=FOLDER]",
    options=[
        TAGS,
        REPOSITORY,
        Option("all", "a site of all experiments and published results, in the folder --output= (default site)", kind="flag"),
        Option("serve", "with --all: serve the site on this machine, and keep it up to date", kind="flag"),
        Option("port", "with --serve: the port (default: any free port)", kind="integer", minimum=0, value="N"),
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
        raise UsageError("--serve needs a site", hint="`ck report --all --serve`")
    chosen = _chosen(request)
    ensure_packages()
    return write(request, chosen)


def _site(request: Request) -> Answer:
    """Write a site, and serve it if requested."""
    from ck_repo.report.requirements import ensure_packages

    if request.entry or request.more or request.text("tags"):
        raise UsageError("--all includes every experiment", hint="omit names and --tags, or omit --all")
    ensure_packages()
    from ck_repo.report.site import write_site

    folder = Path(request.text("output") or "site").expanduser().absolute()
    done = write_site(request.session, folder, overwrite=request.flag("overwrite"))
    lines = [f"site: {done.index}, {done.experiments} experiments, {done.published} published results"]
    lines += [f"note: {text}" for text in done.left_out]
    if request.flag("serve"):
        from ck_repo.report.serve import serve

        for line in lines:
            progress.say(line)
        serve(folder, request.integer("port") or 0, show=request.flag("open"))
    elif request.flag("open"):
        show(done.index)
    data = {"path": str(done.index), "experiments": done.experiments, "published": done.published}
    return Answer({**data, "notes": list(done.left_out)}, lines)


def write(request: Request, chosen: list[Entry]) -> Answer:
    """Write the report of an experiment, or the comparison of several."""
    from ck_repo.report.comparison import write_comparison
    from ck_repo.report.single import write_report
    from ck_repo.report.subject import subject_of

    subjects = [subject_of(entry) for entry in chosen]
    name = chosen[0].alias if len(chosen) == 1 else "comparison"
    output = Path(request.text("output") or f"ck-report-{name}.html").expanduser().absolute()
    overwrite = request.flag("overwrite")
    if len(subjects) == 1:
        done = write_report(request.session, subjects[0], output, overwrite=overwrite)
    else:
        done = write_comparison(request.session, subjects, output, overwrite=overwrite)
    lines = [f"report: {done.path} ({done.size / 1e6:.1f} MB)", *(f"note: {text}" for text in done.left_out)]
    if request.flag("open"):
        show(done.path)
    data = {"path": str(done.path), "bytes": done.size, "notes": list(done.left_out)}
    return Answer({**data, "lst": [row_of(entry) for entry in chosen]}, lines)


@action(
    ACTIONS,
    "export",
    "export experiments for other tools: tables, COCO results, a trace for Perfetto, MLflow",
    example="ck export experiment:* --format=csv --output=runs.csv",
    usage="ck export experiment:X [experiment:Y …] --format=csv|parquet|json|markdown|latex|coco|trace|mlflow",
    options=[
        TAGS,
        REPOSITORY,
        Option("format", "the format (default csv)", choices=FORMATS, value="csv"),
        Option("output", "the file to write, `-` for stdout; for several coco or trace exports a folder", value="FILE"),
        Option("to", "for mlflow: tracking folder or URL of a server (default mlruns)", value="URI"),
        Option("name", "for mlflow: the name of the experiment (default ck)", value="NAME"),
        OVERWRITE,
    ],
    more_entries=True,
)
def export(request: Request) -> Answer:
    """Export."""
    from ck_repo.report.subject import subject_of

    form = request.text("format") or "csv"
    subjects = [subject_of(entry) for entry in _chosen(request)]
    if form == "mlflow":
        if request.text("output"):
            raise UsageError("--format=mlflow writes no file", hint="use --to= for the tracking folder or the URL of a server")
        return _to_mlflow(request, subjects)
    if request.text("to") or request.text("name"):
        raise UsageError("--to and --name need --format=mlflow", hint="use --output= for a file")
    files = _exported(request, form, subjects)
    lines = [f"written: {path}" for path in files]
    data = {"files": [str(path) for path in files], "lst": [row_of(each.entry) for each in subjects]}
    return Answer(data, lines)


def _to_mlflow(request: Request, subjects: list[Subject]) -> Answer:
    from ck_repo.report.export_mlflow import log_runs
    from ck_repo.report.requirements import MLFLOW, ensure_packages

    ensure_packages(MLFLOW)
    address = request.text("to") or "mlruns"
    if "://" not in address:
        address = Path(address).expanduser().absolute().as_uri()
    runs = log_runs(subjects, address, request.text("name") or "ck")
    return Answer({"runs": runs, "to": address}, [f"logged {len(runs)} run{'s' * (len(runs) != 1)} to {address}"])


def _exported(request: Request, form: str, subjects: list[Subject]) -> list[Path]:
    """Write the files of an export; return their paths."""
    from ck_repo.report import export_files, export_tables
    from ck_repo.report.requirements import PARQUET, REPORT, ensure_packages

    overwrite, output = request.flag("overwrite"), request.text("output")
    if form == "parquet":
        ensure_packages(PARQUET)
        path = Path(output or "ck-export.parquet").expanduser().absolute()
        export_tables.write_parquet(subjects, path, overwrite=overwrite)
        return [path]
    if form in export_tables.TABLES:
        text = export_tables.TABLES[form](subjects)
        if output == "-":
            print(text, end="")
            return []
        path = Path(output or f"ck-export.{SUFFIXES[form]}").expanduser().absolute()
        _write(path, text, overwrite=overwrite)
        return [path]
    if form == "coco":
        ensure_packages(REPORT)
    files = []
    for subject in subjects:
        text = export_files.chrome_trace(subject) if form == "trace" else export_files.coco_results(request.session, subject)
        own = f"{subject.name}-{form}.json"
        path = Path(output or own) if len(subjects) == 1 else Path(output or ".") / own
        path = path.expanduser().absolute()
        _write(path, text, overwrite=overwrite)
        files.append(path)
    return files


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    from ck_repo.report.output import output_file

    with output_file(path, overwrite=overwrite) as staging:
        staging.write_text(text, encoding="utf-8")


def _chosen(request: Request) -> list[Entry]:
    """The selected experiments; without a name and tags the latest."""
    from ck_repo.actions.experiment import shown

    if not request.entry and not request.text("tags") and not request.more:
        return shown(request)
    found = all_matching(replace(request, target=replace(request.target, entry=request.entry or "*")))
    if others := [entry for entry in found if entry.module != "experiment"]:
        raise UsageError(f"{others[0].cid} is not an experiment", hint="`ck report experiment:A experiment:B`")
    if not found:
        raise NotFoundError("there is no experiment yet", hint="`ck run program:object-detection` records one")
    return found


def show(path: Path) -> None:
    """Open a page in the user's browser."""
    import webbrowser

    webbrowser.open(path.as_uri())

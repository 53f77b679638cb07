"""Submission trees: import, reproduce, check, truncate, summarize."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.package import TRUST, VENV
from ck_repo.actions.program import experiment_of
from ck_repo.actions.request import Request
from ck_repo.actions.round import ROUND, round_of
from ck_repo.contract.record import write
from ck_repo.errors import MismatchError, UsageError
from ck_repo.experiments.experiment_table import experiment_lines
from ck_repo.experiments.meta import read_experiment
from ck_repo.store.repository import check_name
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.reproduce.nearest_run import Matched
    from ck_repo.rounds.check.finding import Checked
    from ck_repo.rounds.check.tree import Report
    from ck_repo.rounds.round import Round
    from ck_repo.rounds.submission import Result

ACTIONS: Actions = {}
CHECK_OPTIONS = (
    Option("submitter", "only this submitter's results", value="NAME"),
    Option("skip_compliance", "skip the compliance tests", kind="flag"),
    Option("extra_model_benchmark_map", "additional names of folders: NAME:ssd-small;NAME:ssd-large", value="NAME:BENCHMARK"),
)
TREE = Option("path", "the root of the tree, which has the folder closed/ or open/", value="TREE")


def checked(request: Request) -> tuple[Round, Report]:
    """Check the given tree, with the options of `CHECK_OPTIONS`."""
    from ck_repo.rounds.check.tree import check_tree

    round_ = round_of(request)
    names: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in request.text("extra_model_benchmark_map").split(";"))):
        folder, mark, benchmark = pair.partition(":")
        if not mark or not folder.strip():
            raise UsageError(
                f"{pair!r} is not NAME:MODEL", hint="--extra-model-benchmark-map='my-detector:ssd-small;other:ssd-large'"
            )
        names[folder.strip()] = benchmark.strip()
    path = Path(request.needed("path", "give the tree: --path=FOLDER"))
    return round_, check_tree(
        round_.with_folders(names), path, submitter=request.text("submitter"), skip_compliance=request.flag("skip_compliance")
    )


@action(
    ACTIONS,
    "import",
    "import every result of a tree as an experiment, with its logs",
    example="ck import submission --path=inference_results_v1.0",
    options=[TREE, ROUND, Option("record_repo", "the repository to write to (default local)", value="NAME")],
)
def take(request: Request) -> Answer:
    """Import a tree; missing and unreadable files are reported for each result."""
    from ck_repo.experiments.importing import import_submission

    path = Path(request.needed("path", "give the tree: --path=FOLDER"))
    done = import_submission(request.session, round_of(request), path, request.text("record_repo"))
    table = [(row.submitter, row.system, row.model, row.scenario, row.value_text, entry.alias) for entry, row, _ in done]
    remarks = [f"note: {text}" for _, _, texts in done for text in texts]
    lines = [*table_lines(("submitter", "system", "model", "scenario", "result", "experiment"), table), *remarks]
    rows = [{**row_of(entry), **write(row), "remarks": texts} for entry, row, texts in done]
    return Answer({"count": len(done), "lst": rows}, [*lines, f"imported {len(done)} results: `ck ls result` lists them"])


@action(
    ACTIONS,
    "reproduce",
    "show the run most similar to a submitted result, and the differences; --run starts it",
    example="ck reproduce submission --path=TREE --system=T4x1_TRT --model=ssd-mobilenet --scenario=offline",
    options=[
        TREE,
        ROUND,
        Option("system", "the system's name", value="NAME"),
        Option("model", "ssd-mobilenet (also ssd-small) or ssd-resnet34 (also ssd-large)", value="NAME"),
        Option("scenario", "offline, server, singlestream or multistream", value="offline"),
        Option("run", "start the run, and compare it with the submitted result", kind="flag"),
        VENV,
        TRUST,
    ],
)
def reproduce(request: Request) -> Answer:
    """Derive the most similar run from model, scenario, targets, counts and seeds of a submission."""
    from dataclasses import replace

    from ck_repo.experiments.importing import chosen_results
    from ck_repo.reproduce.nearest_run import match
    from ck_repo.run.pipeline import run_repeatedly
    from ck_repo.store.search import load

    path = Path(request.needed("path", "give the tree: --path=FOLDER"))
    results = chosen_results(round_of(request), path, *(request.text(name) for name in ("system", "model", "scenario")))
    matched = [(result, match(result)) for result in results]
    rows, lines = [], []
    for result, found in matched:
        row, details = _matched(result, found)
        rows.append(row)
        lines += [*details, ""]
    data = {**rows[0], "lst": rows}
    if not request.flag("run"):
        return Answer(data, lines[:-1])
    if len(matched) > 1:
        listed = "\n".join(f"  {result.place}" for result, _ in matched)
        raise UsageError(
            f"{len(matched)} results match, and --run needs one", hint=f"select one: --system=, --model=, --scenario=\n{listed}"
        )
    program = load(request.session.repositories, "program", "object-detection")
    options = replace(matched[0][1].options, venv=request.text("venv"))
    (ran,) = run_repeatedly(request.session, program, options, tags=["reproduce"])
    entry = ran.experiment
    ours = {"experiment": experiment_of(entry), "results": write(ran.results)}
    return Answer({**data, **ours}, [*lines, *experiment_lines(entry.alias, read_experiment(entry))])


def _matched(result: Result, found: Matched) -> tuple[dict[str, object], list[str]]:
    """A submitted result with the most similar run, as data and as text."""
    from ck_repo.rounds.rules import rules_for
    from ck_repo.run.options import command_of
    from ck_repo.run.spec import loadgen_settings

    command = command_of(found.options)
    benchmark = result.round.benchmark_in_tree(result.place.model)
    settings = write(loadgen_settings(found.options, rules_for(result.round, benchmark)))
    data: dict[str, object] = {
        **result.place.identity(), "value": result.value, "unit": result.unit, "mAP": result.mAP, "command": command,
        "options": found.options.as_data(), "loadgen": settings, "unmatched": found.unmatched,
        "remarks": result.remarks,
    }  # fmt: skip
    figure = f"{result.place}: {result.value} {result.unit}, mAP {result.mAP} %"
    table = table_lines(("what", "theirs", "ours", "why"), [tuple(row.values()) for row in found.unmatched])
    remarks = [f"note: {text}" for text in result.remarks]
    return data, [figure, *remarks, "", command, "", "differences that cannot be avoided:", *table]


@action(
    ACTIONS,
    "check",
    "check a tree against all rules of its round; exit status 10 if a result is rejected",
    example="ck check submission --path=inference_results_v1.0 --csv=summary.csv",
    options=[
        TREE,
        ROUND,
        *CHECK_OPTIONS,
        Option("csv", "write the accepted results in the format of the round's summary.csv", value="FILE"),
        Option("as_official", "use the verdicts of the round's own checker where ours differ", kind="flag"),
    ],
)
def check(request: Request) -> Answer:
    """Check a tree of any submitter."""
    from ck_repo.rounds.check.summary import summary_csv
    from ck_repo.store.atomic import write_text

    table = Path(request.text("csv")).expanduser().absolute() if request.text("csv") else None
    if table and table.is_dir():
        raise UsageError(f"--csv={request.text('csv')} is a folder", hint="give a file to write")
    official = request.flag("as_official")
    round_, report = checked(request)
    if table:
        text = summary_csv(round_, report.results, official=official, skip_compliance=request.flag("skip_compliance"))
        write_text(table, text)
    lines = []
    for row in report.results:
        lines.append(f"{row.place}: {row.verdict(official)}, {_figures(row)}")
        lines += [f"  {each.text(official)}" for each in row.findings]
    lines += [each.text(official) for each in (*report.folders, *report.stray)]
    rejected = report.officially_rejected if official else report.rejected
    empty = report.officially_empty if official else [each.file for each in report.folders]
    summary = f"{len(report.results)} results: {len(report.results) - len(rejected)} accepted, {len(rejected)} rejected"
    summary += f"; {len(empty)} folders without results" if empty else ""
    summary += f"; {len(report.skipped)} of other benchmarks were skipped" if report.skipped else ""
    results = [{**row.as_data(), "status": row.verdict(official)} for row in report.results]
    findings = [each.as_data() for each in (*report.folders, *report.stray)]
    data = {"round": round_.name, "results": results, "findings": findings, "folders_without_results": empty}
    if rejected or empty:
        return Answer({"error": summary, **data}, [*lines, summary], status=MismatchError.code)
    return Answer(data, [*lines, summary])


def _figures(row: Checked) -> str:
    figure = "-" if row.value is None else f"{row.value:.9g} {row.unit}"
    power = f", {row.power:.6g} {row.power_unit}" if row.power is not None else ""
    inferred = " (inferred)" if row.inferred else ""
    return f"{figure}{inferred}, mAP {'-' if row.mAP is None else row.mAP} %{power}"


@action(
    ACTIONS,
    "truncate",
    "truncate accuracy logs, and write the hash of each complete log into its accuracy.txt",
    example="ck truncate submission --path=TREE --output=TREE-truncated",
    options=[
        TREE,
        ROUND,
        Option("output", "copy the tree there and truncate the copy", value="FOLDER"),
        Option("backup", "truncate in place, and keep the complete logs there", value="FOLDER"),
    ],
)
def truncate(request: Request) -> Answer:
    """Truncate a tree's logs."""
    from ck_repo.rounds.truncate import truncate_tree

    path = Path(request.needed("path", "give the tree: --path=FOLDER"))
    texts = (request.text("output"), request.text("backup"))
    output, backup = (Path(text).expanduser().absolute() if text else None for text in texts)
    if (output is None) == (backup is None):
        raise UsageError(
            "no folder for complete logs was given", hint="use --output=FOLDER for a truncated copy, or --backup=FOLDER"
        )
    done = truncate_tree(round_of(request), path, output=output, backup=backup)
    rows = [{"path": str(row.path), "before": row.before, "after": row.after, "sha256": row.sha256} for row in done]
    lines = [f"{row.path}: {row.before} → {row.after} bytes" for row in done]
    return Answer({"lst": rows}, [*lines, f"{len(done)} accuracy logs truncated"])


@action(
    ACTIONS,
    "summarize",
    "show the results of a tree as a table: by model, scenario and system",
    example="ck summarize submission --path=inference_results_v1.0 --by=system",
    options=[
        TREE,
        ROUND,
        *CHECK_OPTIONS,
        Option("by", "the order (default model)", choices=("model", "scenario", "system"), value="system"),
    ],
)
def summarize(request: Request) -> Answer:
    """Summarize a tree."""
    from ck_repo.rounds.check.summary import ordered

    _, report = checked(request)
    rows = ordered(report.results, request.text("by") or "model")
    table = [
        (row.place.model, row.place.scenario, row.place.submitter, row.place.system,
         "-" if row.value is None else f"{row.value:.9g} {row.unit}", "-" if row.mAP is None else f"{row.mAP:.3f} %",
         "-" if row.power is None else f"{row.power:.6g} {row.power_unit}", row.status, len(row.findings))
        for row in rows
    ]  # fmt: skip
    header = ("model", "scenario", "submitter", "system", "result", "mAP", "power", "status", "findings")
    return Answer({"results": [row.as_data() for row in rows]}, table_lines(header, table))


@action(
    ACTIONS,
    "report",
    "write the accepted results of a tree as the round publishes them: a spreadsheet, a page and JSON",
    example="ck report submission --path=inference_results_v1.0 --output=final",
    options=[
        TREE,
        ROUND,
        *CHECK_OPTIONS,
        Option("as_official", "use the results that the round's own checker accepts", kind="flag"),
        Option("output", "write FILE.xlsx, FILE.html and FILE.json (default final-report)", value="FILE"),
    ],
)
def report(request: Request) -> Answer:
    """Write a report of a tree, with a table for each division and category, and tables with power."""
    import json

    from ck_repo.store.atomic import write_bytes, write_text
    from ck_repo.submit.final_report import final_report
    from ck_repo.submit.spreadsheet import page, xlsx

    round_, found = checked(request)
    tables = final_report(round_, found.results, official=request.flag("as_official"))
    base = Path(request.text("output") or "final-report").expanduser().absolute()
    data = {"round": round_.name, "tables": [table.as_data() for table in tables]}
    paths = [base.with_name(f"{base.name}.{kind}") for kind in ("xlsx", "html", "json")]
    write_bytes(paths[0], xlsx(tables))
    write_text(paths[1], page(f"MLPerf Inference {round_.name}, object detection", tables))
    write_text(paths[2], json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    lines = [f"{table.name}: {len(table.rows)} systems, {len(table.columns)} columns" for table in tables]
    return Answer({**data, "files": [str(path) for path in paths]}, [*lines, *(str(path) for path in paths)])


@action(
    ACTIONS,
    "generate",
    "create a submission tree from experiments, and check it against the rules",
    example="ck generate submission --submitter=Us --division=open --system=my-laptop.json --output=tree",
    options=[
        Option("submitter", "your organisation", value="NAME"),
        Option("division", "open or closed (default open)", choices=("open", "closed"), value="open"),
        Option("system", "the system's JSON, or its name (`ck describe system` writes one)", value="FILE"),
        Option("output", "the folder to create (default submission)", value="FOLDER"),
        Option("draft", "include results that would be rejected", kind="flag"),
        Option("fallback_open", "move results that the closed division would reject to the open one", kind="flag"),
        Option("infer", "add scenarios whose results the round infers from those that were run", kind="flag"),
        ROUND,
        TAGS,
    ],
)
def generate(request: Request) -> Answer:
    """Generate a tree of accepted results; list those that are skipped or moved to the open division."""
    from ck_repo.submit import generate as generating

    named = request.needed("system", "give the system's JSON: --system=FILE")
    system = Path(named if named.endswith(".json") else f"{named}.json").expanduser().absolute()
    submitter = request.text("submitter") or str(generating.read_system(system).get("submitter", ""))
    if not submitter or submitter.startswith("ADD"):
        raise UsageError("no submitter was given", hint="--submitter=NAME")
    check_name(submitter.replace(" ", "-"))
    wanted = generating.Layout(
        system,
        submitter,
        request.text("division") or "open",
        Path(request.text("output") or "submission").expanduser().absolute(),
        tags=request.text("tags"),
        draft=request.flag("draft"),
        fallback_open=request.flag("fallback_open"),
        infer=request.flag("infer"),
    )
    round_ = round_of(request)
    made = generating.generate(request.session, round_, wanted)
    lines = []
    for row, checked in zip(made.results, made.report.results, strict=True):
        verified = {name: read_experiment(entry).verified for name, entry in row.tests.items()}
        failed = {name for name, verdict in verified.items() if verdict and not verdict.passed}
        tests = ", ".join(f"{name} failed" if name in failed else name for name in row.tests) or "no compliance test"
        parts = row.performance.cid + (f" and {row.accuracy.cid}" if row.accuracy.uid != row.performance.uid else "")
        lines.append(f"{checked.place}: {checked.status}, from {parts}; {tests}")
        lines += [f"  {each}" for each in checked.findings]
    for left in made.left:
        lines.append(f"{left.result}: {'moved to the open division' if left.where else 'skipped'}")
        lines += [f"  {text}" for text in left.why]
    left_out = [{"result": str(row.result), "moved_to": row.where, "why": list(row.why)} for row in made.left]
    data = {"path": str(made.path), "results": [row.as_data() for row in made.report.results], "left": left_out}
    words = [f"--path={shlex.quote(str(made.path))}", f"--round={round_}"]
    return Answer(data, [*lines, f"{made.path}: `ck check submission {' '.join(words)}` checks it again"])

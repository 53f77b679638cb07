"""Submission trees of round v1.0: import, reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import Actions, Answer, Option, action, table_lines
from ck_repo.actions.entry import row_of
from ck_repo.actions.package import TRUST, VENV
from ck_repo.actions.request import Request
from ck_repo.report.experiment_table import experiment_lines

if TYPE_CHECKING:
    from ck_repo.run.options import RunOptions
    from ck_repo.run.pipeline import RunRecord

ACTIONS: Actions = {}
TREE = Option("path", "the root of the tree, which holds closed/ or open/", value="TREE")


@action(
    ACTIONS,
    "import",
    "every result of a tree as an experiment, with its logs",
    example="ck import submission --path=inference_results_v1.0",
    options=[TREE, Option("record_repo", "the repository to write to (default local)", value="NAME")],
)
def take(request: Request) -> Answer:
    """Import a tree; what is missing or cannot be read is told for each result."""
    from ck_repo.mlperf.importing import import_submission
    from ck_repo.store.repositories import Repositories

    path = Path(request.needed("path", "name the tree: --path=FOLDER"))
    done = import_submission(Repositories(), path, request.text("record_repo"))
    table = [(row.submitter, row.system, row.model, row.scenario, row.value_text, entry.alias) for entry, row, _ in done]
    remarks = [f"note: {text}" for _, _, texts in done for text in texts]
    lines = [*table_lines(("submitter", "system", "model", "scenario", "result", "experiment"), table), *remarks]
    rows = [{**row_of(entry), **row.as_data(), "remarks": texts} for entry, row, texts in done]
    return Answer({"count": len(done), "lst": rows}, [*lines, f"imported {len(done)} results: `ck ls result` lists them"])


@action(
    ACTIONS,
    "reproduce",
    "the nearest run of ours to a submitted result, and what cannot be the same; --run carries it out",
    example="ck reproduce submission --path=TREE --system=T4x1_TRT --model=ssd-mobilenet --scenario=offline",
    options=[
        TREE,
        Option("system", "the system's name", value="NAME"),
        Option("model", "ssd-mobilenet (also ssd-small) or ssd-resnet34 (also ssd-large)", value="NAME"),
        Option("scenario", "offline, server, singlestream or multistream", value="offline"),
        Option("run", "run it, and set it beside the submitted result", kind="flag"),
        VENV,
        TRUST,
    ],
)
def reproduce(request: Request) -> Answer:
    """Build the nearest run from model, scenario, targets, counts and seeds that a submission says."""
    from dataclasses import replace

    from ck_repo.mlperf.importing import chosen_result
    from ck_repo.mlperf.rules import benchmark_called, rules_for
    from ck_repo.reproduce.submission import match
    from ck_repo.run.spec import loadgen_settings

    path = Path(request.needed("path", "name the tree: --path=FOLDER"))
    result = chosen_result(path, request.text("system"), request.text("model"), request.text("scenario"))
    found = match(result)
    settings = loadgen_settings(found.options, rules_for(benchmark_called(result.place.model)))
    data = {
        **result.place.identity(), "value": result.value, "unit": result.unit, "mAP": result.mAP, "command": found.command,
        "options": found.options.as_data(), "loadgen": settings, "unmatched": found.unmatched,
    }  # fmt: skip
    lines = [
        f"{result.place}: {result.value} {result.unit}, mAP {result.mAP} %",
        "",
        found.command,
        "",
        "what cannot be the same:",
    ]
    lines += table_lines(("what", "theirs", "ours", "why"), [tuple(row.values()) for row in found.unmatched])
    if not request.flag("run"):
        return Answer(data, lines)
    ran = _run(replace(found.options, venv=request.text("venv")), request.flag("trust"))
    row = ran.experiment
    ours = {"experiment": {"uid": row.uid, "alias": row.alias, "path": str(row.path)}, "results": ran.results}
    return Answer({**data, **ours}, [*lines, "", *experiment_lines(row.alias, row.meta())])


def _run(options: RunOptions, trust: bool) -> RunRecord:
    from ck_repo.run.pipeline import execute
    from ck_repo.run.prepare import prepare
    from ck_repo.store.repositories import Repositories
    from ck_repo.store.search import load

    repositories = Repositories()
    plan = prepare(repositories, load(repositories, "program", "object-detection"), options)
    return execute(repositories, plan, tags=["reproduce"], trust=trust)

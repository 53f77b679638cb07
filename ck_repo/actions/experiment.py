"""Experiments: list, show."""

from __future__ import annotations

from pathlib import Path

from ck_repo.actions.declare import LISTING, REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_archive import ARCHIVE, OVERWRITE
from ck_repo.actions.entry_data import content_of, row_of, rows_of
from ck_repo.actions.entry_selection import all_matching, matching, one
from ck_repo.actions.package import DRY_RUN, TRUST
from ck_repo.actions.request import Request
from ck_repo.actions.round import ROUND
from ck_repo.contract.record import write
from ck_repo.errors import CKError, MismatchError, NotFoundError, UsageError, did_you_mean
from ck_repo.experiments.overview import HEADER, SORTED_BY, SPARE, ordered, overview
from ck_repo.printable import printable
from ck_repo.store.entry import META, Entry
from ck_repo.store.query import is_pattern
from ck_repo.table import pair_lines, table_lines

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "ls",
    "list recorded runs with their results",
    example="ck ls experiment --tags=offline --sort=-performance --limit=5",
    options=[
        TAGS,
        REPOSITORY,
        Option(
            "sort",
            f"by one of {', '.join(SORTED_BY)}; with a dash before it in descending order (default: the oldest first)",
            value="KEY",
        ),
        Option("limit", "list the latest N; with --sort the first N", kind="integer", minimum=1, value="N"),
        *LISTING,
        Option("plot", "plot speed against accuracy of valid runs as text, for each scenario", kind="flag"),
    ],
)
def ls(request: Request) -> Answer:
    """List experiments, the oldest first; for an unreadable one show the reason."""
    from ck_repo.experiments.experiment import sweep

    key = request.text("sort")
    if key.removeprefix("-") not in ("", *SORTED_BY):
        raise UsageError(f"--sort={key} is not a column", hint=did_you_mean(key.removeprefix("-"), SORTED_BY))
    sweep(request.session)
    entries = matching(request, needed=not is_pattern(request.entry))
    rows = {entry.uid: overview(entry) for entry in entries}
    chosen = ordered(list(rows.values()), key, request.integer("limit"))
    by_row = {id(rows[entry.uid]): entry for entry in entries}
    data = rows_of(request, [by_row[id(row)] for row in chosen])
    for row, each in zip(chosen, data, strict=True):
        each.update({"error": row.error} if row.error else {"overview": row.as_data()})
    readable = [row.cells() for row in chosen if not row.error]
    lines = table_lines(HEADER, readable, SPARE) if readable else []
    lines += [f"{row.experiment}  unreadable: {row.error}" for row in chosen if row.error]
    if request.flag("plot"):
        lines += _plots(entries)
    return Answer({"lst": data}, lines or [_nothing(request)])


def _plots(entries: list[Entry]) -> list[str]:
    """A scatter of speed against accuracy for each scenario."""
    from ck_repo.experiments.figures import figures
    from ck_repo.experiments.meta import readable
    from ck_repo.experiments.plots import scatter

    groups: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for entry, meta in readable(entries):
        found = figures(meta)
        if found.value is not None and found.mAP is not None and found.valid:
            groups.setdefault((found.scenario, found.unit), []).append((found.value, found.mAP, entry.alias))
    if not groups:
        return ["", "nothing to plot: no valid run has performance and accuracy"]
    return [
        line
        for (scenario, unit), points in sorted(groups.items())
        for line in ["", f"{scenario}:", *map(printable, scatter(points, unit, "mAP"))]
    ]


def _nothing(request: Request) -> str:
    """The message for an empty list: there is no experiment, or none matches."""
    from ck_repo.store.search import find

    count = len(find(request.session.repositories, "experiment", repository=request.repository))
    if not count:
        return "there is no experiment yet: `ck run program:object-detection`"
    what = []
    if tags := request.text("tags"):
        what.append(f"has the tag{'s' if ',' in tags else ''} {tags}")
    if request.entry not in ("", "*"):
        what.append(f"matches {request.entry}")
    return f"none of {count} experiments {' and '.join(what)}"


@action(
    ACTIONS,
    "show",
    "show an experiment as a table (default: the latest)",
    example="ck show experiment:mlperf-result1",
    options=[TAGS, REPOSITORY],
)
def show(request: Request) -> Answer:
    """Show results, machine, venv and origin of an experiment."""
    chosen = shown(request)
    lines, found = [], []
    for entry in chosen:
        try:
            text_lines, data = _shown(entry)
        except CKError as error:
            if len(chosen) == 1:
                raise
            text_lines, data = [f"{entry.alias}: unreadable: {error.what}"], {**row_of(entry), "error": error.what}
        lines += ["", *text_lines, f"folder: {entry.path}"]
        found.append(data)
    rows = [
        row_of(entry) | ({"error": data["error"]} if "error" in data else {}) for entry, data in zip(chosen, found, strict=True)
    ]
    return Answer({**found[0], "lst": rows}, lines[1:])


def shown(request: Request) -> list[Entry]:
    """The experiments that a request selects; without a name the latest."""
    from ck_repo.experiments.experiment import sweep

    sweep(request.session)
    entries = matching(request, needed=not is_pattern(request.entry))
    if not entries:
        raise NotFoundError("there is no experiment yet", hint="`ck run program:object-detection` records one")
    return entries if request.entry else [max(entries, key=_recorded)]


def _shown(entry: Entry) -> tuple[list[str], dict[str, object]]:
    """An experiment as text, and as JSON."""
    from ck_repo.experiments.experiment_table import experiment_rows
    from ck_repo.experiments.glance import glance
    from ck_repo.experiments.meta import read_meta
    from ck_repo.stock import experiment as stock

    meta = entry.meta()
    data = content_of(entry)
    if stock.is_stock_experiment(entry, meta):
        found = stock.read_stock_experiment(entry, meta)
        return stock.experiment_lines(found), {**data, "points": [point.as_data() for point in found.points()]}
    pairs = [*experiment_rows(entry.alias, read_meta(meta, entry.path / META)), *glance(entry.path)]
    return pair_lines(pairs), data


def _recorded(entry: Entry) -> str:
    """When one of our experiments was recorded; empty for others, and for unreadable ones."""
    try:
        return str(entry.meta().get("recorded", ""))
    except CKError:
        return ""


@action(
    ACTIONS,
    "list_points",
    "list the points of an experiment recorded by stock CK",
    example="ck list_points experiment:mlperf-closed-results",
    options=[Option("point", "list the repetitions of this point", value="UID"), REPOSITORY],
)
def list_points(request: Request) -> Answer:
    """List points; their files are `ckp-POINT.REPETITION.json` in the experiment's folder."""
    from ck_repo.stock.experiment import repetitions

    entry, point = one(request), request.text("point")
    found = repetitions(entry)
    if point and point not in found:
        raise NotFoundError(f"{entry.cid} has no point {point}", hint=did_you_mean(point, found))
    numbers = list(found.get(point, ()))
    data = {**content_of(entry), "points": list(found), "points_count": len(found), "subpoints": numbers}
    return Answer(data, [f"{point}-{number}" for number in numbers] if point else list(found))


@action(
    ACTIONS,
    "replay",
    "run an experiment again from its lock and compare the results; exit status 10 if they differ",
    example="ck replay experiment:mlperf-result1 --repetitions=5",
    options=[
        Option("repetitions", "number of performance runs (default 1)", kind="integer", minimum=1),
        Option("map-tolerance", "allowed difference of mAP, from 0 to 1 (default 0.001)", kind="number", minimum=0),
        Option("detections", "minimum share of equal detections, from 0 to 1 (default 0.99)", kind="number", minimum=0),
        Option("venv", "the venv to use unchanged (default: one that matches the lock, else a new one)", value="NAME"),
        Option("python", "the Python of a new venv (default: that of the lock)", value="VERSION"),
        Option("record", "name of the new experiment", value="NAME", aliases=("record_uoa",)),
        Option("record_repo", "the repository to record in (default local)", value="NAME"),
        REPOSITORY,
        DRY_RUN,
        TRUST,
    ],
)
def replay(request: Request) -> Answer:
    """Replay an experiment."""
    from ck_repo.experiments.meta import own_experiment
    from ck_repo.reproduce import replay as replaying
    from ck_repo.reproduce.verdict import USUAL, Tolerances, verdict_lines

    entry = own_experiment(one(request), "replayed")
    if request.flag("dry_run"):
        foreseen = replaying.foresee(request.session, entry)
        return Answer({**row_of(entry), **foreseen.as_data()}, foreseen.lines())
    limit, share = request.number("map_tolerance"), request.number("detections")
    done = replaying.replay(
        request.session,
        entry,
        venv=request.text("venv"),
        python=request.text("python"),
        repetitions=request.integer("repetitions") or 1,
        tolerances=Tolerances(USUAL.mAP if limit is None else limit, USUAL.share if share is None else share),
        name=request.text("record"),
        repository=request.text("record_repo"),
    )
    verdict, first = done.verdict, done.records[0].experiment
    runs = [
        {"uid": row.experiment.uid, "alias": row.experiment.alias, "path": str(row.experiment.path)} for row in done.records
    ]
    data = {
        "reproduced": verdict.reproduced, "verdict": verdict.as_data(), "parent": row_of(entry), "path": str(first.path),
        "experiment": runs[0], "runs": runs, "results": write(done.records[0].results),
    }  # fmt: skip
    lines = [*verdict_lines(verdict), "", f"recorded: {first.path} (`ck compare {entry.cid} {first.cid}`)"]
    if verdict.reproduced:
        return Answer(data, lines)
    return Answer({"error": f"not reproduced: {verdict.why}", **data}, lines, status=MismatchError.code)


@action(
    ACTIONS,
    "compare",
    "compare experiments with the first, or one experiment with published results",
    example="ck compare experiment:mlperf-result1 experiment:mlperf-result2",
    usage="ck compare experiment:A experiment:B|campaign:B … | ck compare experiment:A --published",
    options=[
        Option("published", "compare with published results of the same model and scenario, from all rounds", kind="flag"),
        Option("round", "with --published: only results of this round", choices=ROUND.choices, value=ROUND.value),
        Option("all", "also show equal properties", kind="flag"),
    ],
    more_entries=True,
    module_implied=True,
)
def compare(request: Request) -> Answer:
    """Compare experiments."""
    from ck_repo.experiments.compare import beside_published, side_by_side
    from ck_repo.experiments.figures import figures
    from ck_repo.experiments.meta import own_experiment, read_experiment
    from ck_repo.experiments.round_subject import differences
    from ck_repo.rounds.round import load_round
    from ck_repo.store.search import load

    if any(row.entry and row.module == "campaign" for row in request.more) and not request.flag("published"):
        from ck_repo.actions.campaign_compare import compared as compare_with_campaigns

        return compare_with_campaigns(request)
    entries = [one(request)]
    for row in request.more:
        if row.entry and row.module != "experiment":
            raise UsageError(f"{row.text} is not an experiment")
        entries.append(load(request.session.repositories, "experiment", row.entry or row.module, row.repository))
    entries = [own_experiment(entry, "compared") for entry in entries]
    if request.flag("published"):
        if len(entries) > 1:
            raise UsageError("--published compares a single experiment with published results", hint="give one experiment")
        found = figures(read_experiment(entries[0]))
        beside = beside_published(request.session, found, request.text("round"))
        table = [
            (row.published.round, row.published.submitter, row.published.system, row.published.value_text,
             "-" if row.speed is None else f"{row.speed:.3g}", row.published.map_text, row.published.framework)
            for row in beside
        ]  # fmt: skip
        notes = {row.published.round: row.note for row in beside if row.note and not row.published.inferred}
        own = f"{entries[0].alias}: {found.value:.6g} {found.unit}" if found.value else f"{entries[0].alias}: no performance"
        own += "" if found.mAP is None else f", mAP {100 * found.mAP:.3f} %"
        header = ("round", "submitter", "system", "result", "speed", "mAP", "framework")
        remarks = [f"note on {name}: {note}" for name, note in sorted(notes.items())]
        own_notes = differences(read_experiment(entries[0]), load_round(found.round))
        text_lines = [f"note: not comparable: {text}" for text in own_notes]
        rows = [{**write(row.published), "speed": row.speed, "note": row.note} for row in beside]
        beside_it = {**row_of(entries[0]), "published": rows, "notes": own_notes}
        return Answer(beside_it, [own, *text_lines, "", *table_lines(header, table), *remarks])
    if len(entries) < 2:
        raise UsageError("nothing to compare with", hint="`ck compare experiment:A experiment:B`, or --published")
    compared = side_by_side(entries)
    shown = [row for row in compared if request.flag("all") or not row.same or row.name in ("model", "scenario", "mAP")]
    left = "" if len(shown) == len(compared) else f"{len(compared) - len(shown)} more are equal; --all shows them"
    lines = table_lines(("", *(entry.alias for entry in entries)), [(row.name, *row.values) for row in shown])
    data: dict[str, object] = {
        "lst": [row_of(entry) for entry in entries],
        "rows": {row.name: list(row.values) for row in compared},
    }
    return Answer(data, [*lines, *([left] if left else [])])


@action(
    ACTIONS,
    "zip",
    "pack experiments into a zip file: spec, results, logs, lock; with --artifacts also the model and the data set",
    example="ck zip experiment:mlperf-result1 --artifacts",
    options=[
        TAGS,
        REPOSITORY,
        ARCHIVE,
        OVERWRITE,
        Option(
            "artifacts",
            "`yes`: models and data sets whose licence permits redistribution; `all`: all of them, at your own responsibility",
            choices=("yes", "no", "all"),
            value="yes",
        ),
    ],
    usage="ck zip experiment:NAME [NAME …] [options]",
    more_entries=True,
)
def pack(request: Request) -> Answer:
    """Pack experiments, and report what was skipped."""
    from ck_repo.reproduce.artifacts import pack_experiments

    found = all_matching(request)
    if others := [entry for entry in found if entry.module != "experiment"]:
        raise UsageError(f"{others[0].cid} is not an experiment", hint="`ck zip MODULE:ENTRY` packs entries of other modules")
    name = f"ck-experiment{'-' + found[0].alias if len(found) == 1 else ''}.zip"
    output = Path(request.text("archive_name") or name).absolute()
    wanted = request.text("artifacts") or "no"
    overwrite = request.flag("overwrite")
    files, left = pack_experiments(request.session, found, output, artifacts=wanted, overwrite=overwrite)
    lines = [f"packed {len(found)} experiments, {files} files: {output}"]
    lines += [f"skipped: {what}; {why} (--artifacts=all includes it)" for what, why in left]
    data = {"path": str(output), "files": files, "lst": [row_of(entry) for entry in found]}
    return Answer({**data, "left_out": [{"name": what, "why": why} for what, why in left]}, lines)

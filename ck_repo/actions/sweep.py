"""Programs: sweeps, which are matrices of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ck_repo.actions.campaign import REPORT, campaign_answer, with_page
from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import one
from ck_repo.actions.machine_venv import VENV_FILES, given_venv_file
from ck_repo.actions.package import DRY_RUN, TRUST
from ck_repo.actions.readiness import READINESS, read_settling
from ck_repo.actions.request import Request
from ck_repo.actions.run_options import declared, run_options
from ck_repo.errors import RunError, UsageError
from ck_repo.run.options import RUN_OPTIONS

if TYPE_CHECKING:
    from ck_repo.campaign.campaign import Campaign
    from ck_repo.campaign.definition import Definition, Limits, SweepRequest
    from ck_repo.campaign.sweep import Outcome
    from ck_repo.campaign.venv_file import VenvFile
    from ck_repo.store.entry import Entry

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "sweep",
    "run every combination of some options; the same command continues a sweep that was stopped",
    example="ck sweep program:object-detection --over.backend=onnxruntime,openvino --over.batch_size=1,4 --repetitions=3",
    usage="ck sweep program:object-detection --over.OPTION=a,b … [--file=sweep.yaml] [options of ck run]",
    options=[
        Option("over", "the values of an option of `ck run`: a,b or a JSON list", kind="nested", parts="over"),
        Option("file", "a YAML file with over, options, exclude …; options of the command take precedence", value="FILE"),
        Option("exclude", "combinations to skip: OPTION=a|b,OPTION=c;…", value="backend=tflite,batch_size=4|8"),
        Option("repetitions", "number of runs of each combination, interleaved (default 1)", kind="integer", minimum=1),
        Option("name", "name of the campaign (default: sweep- and a digest of its definition)", value="NAME"),
        Option("time_limit", "seconds for all runs; the same command continues later", kind="number", minimum=0, above=True),
        Option("run_limit", "seconds after which a run is stopped and counted as failed", kind="number", minimum=0, above=True),
        Option(
            "hopeless",
            "drop combinations slower than this share of one that is at least as accurate (default 0.5; 0 keeps all)",
            kind="number",
            minimum=0,
        ),
        *READINESS,
        Option(
            "cluster",
            "machines that make the runs: local, local:2, ssh:HOSTS.yaml, slurm:PROFILE.yaml, or a scheduler's tls://HOST:PORT",
            value="local",
        ),
        Option("certificates", "the cluster whose certificates are used (default `default`)", value="NAME"),
        *VENV_FILES,
        Option("each", "`machine`: every combination is run on each machine of the cluster", value="machine"),
        *declared(),
        Option("record_repo", "the repository to record in (default local)", value="NAME"),
        REPORT,
        DRY_RUN,
        TRUST,
    ],
)
def sweep_program(request: Request) -> Answer:
    """Run a matrix."""
    from ck_repo.campaign.campaign import open_campaign
    from ck_repo.campaign.cluster import connected, read_place
    from ck_repo.campaign.distribute import distribute
    from ck_repo.campaign.sweep import sweep
    from ck_repo.report.requirements import ensure_packages

    program = one(request)
    wanted = read_request(request)
    definition, limits, name = requested(request, program, wanted)
    where = request.text("cluster") or wanted.cluster
    place = read_place(where) if where else None
    if definition.each_machine and place is None:
        raise UsageError(
            "--each=machine needs machines", hint="name them with --cluster=, for example --cluster=ssh:hosts.yaml"
        )
    varied = "venv" in definition.matrix.fixed or "venv" in definition.matrix.axes
    venv_file = given_venv_file(request, cluster=place is not None, venv=varied)
    if request.flag("dry_run"):
        return _foreseen(request, program, definition, name, cluster=place is not None, venv_file=venv_file)
    if request.flag("report"):
        ensure_packages()  # check before the runs that the report can be written
    repository = request.text("record_repo")
    if place:
        with connected(request.session, place, request.text("certificates"), every=definition.each_machine) as cluster:
            campaign = open_campaign(request.session, definition, name=name, repository=repository)
            outcome = distribute(
                request.session, program, campaign, limits, cluster, repository=repository, venv_file=venv_file
            )
        return _outcome(request, campaign, outcome)
    campaign = open_campaign(request.session, definition, name=name, repository=repository)
    outcome = sweep(request.session, program, campaign, limits, repository=repository)
    return _outcome(request, campaign, outcome)


def _outcome(request: Request, campaign: Campaign, outcome: Outcome) -> Answer:
    """The outcome of a sweep."""
    answer = campaign_answer(request.session, campaign)
    data = {**answer.data, "state": outcome.state, "made": outcome.made, "found": outcome.found, "left": outcome.left}
    if not outcome.made + outcome.found:
        why = next((str(row["why"]) for row in data["rows"] if row["why"]), "no run was made")
        return Answer({"error": f"no run succeeded: {why}", **data}, answer.lines, status=RunError.code)
    found = f", {outcome.found} were recorded before" if outcome.found else ""
    lines = [*answer.lines, "", f"{outcome.made} runs made{found}: `ck show {campaign.entry.cid}`"]
    if outcome.left:
        lines.append(f"{outcome.left} runs are left ({outcome.state}); the same command continues")
    return with_page(request, campaign, Answer(data, lines))


def read_request(request: Request) -> SweepRequest:
    """The content of a request's file."""
    from ck_repo.campaign.definition import SweepRequest, read_file

    return read_file(Path(request.text("file"))) if request.text("file") else SweepRequest()


def requested(request: Request, program: Entry, wanted: SweepRequest) -> tuple[Definition, Limits, str]:
    """The definition, limits and name of a campaign, from options and file."""
    from ck_repo.campaign.axes import read_axes
    from ck_repo.campaign.definition import HOPELESS, Definition, Limits, read_exclusions
    from ck_repo.campaign.matrix import Matrix

    over = {**wanted.over, **read_axes(request.nested("over"), "--over")}
    if not over:
        raise UsageError("nothing is varied", hint="set values with --over.batch_size=1,4,8, or use --file= with a YAML file")
    exclude = read_exclusions(request.text("exclude")) if request.text("exclude") else wanted.exclude
    share = _first(request.number("hopeless"), wanted.hopeless, HOPELESS)
    if not 0 <= share <= 1:
        raise UsageError(f"hopeless is {share:g}, which is not between 0 and 1", hint="omit it for 0.5; 0 keeps all")
    fixed = {**{key: value for key, value in wanted.options.items() if key not in over}, **given_options(request)}
    each = request.text("each") or wanted.each
    if each not in ("", "machine"):
        raise UsageError(f"each is {each!r}, not machine", hint="omit it to run each combination once, on any machine")
    repetitions = _first(request.integer("repetitions"), wanted.repetitions, 1)
    definition = Definition(program.uid, Matrix(fixed, over, exclude), repetitions, each == "machine")
    total, run = _first(request.number("time_limit"), wanted.total), _first(request.number("run_limit"), wanted.run)
    limits = Limits(total, run, share, read_settling(request, wanted.busy, wanted.settle))
    return definition, limits, request.text("name") or wanted.name


def given_options(request: Request) -> dict[str, object]:
    """The run options of a request, by the names of `RunOptions`."""
    options = run_options(request)
    return {row.name: getattr(options, row.name) for row in RUN_OPTIONS if request.options.get(row.key) is not None}


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _foreseen(
    request: Request, program: Entry, definition: Definition, name: str, *, cluster: bool, venv_file: VenvFile | None
) -> Answer:
    """The plan of a sweep: combinations, time, downloads."""
    from ck_repo.campaign.foresee import foresee, foreseen_lines

    found = foresee(
        request.session,
        program,
        definition,
        name=name,
        repository=request.text("record_repo"),
        cluster=cluster,
        venv_file=venv_file,
    )
    return Answer({**row_of(program), **found.as_data()}, foreseen_lines(found))

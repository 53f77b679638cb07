"""Programs: tune, a search for the best settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ck_repo import progress
from ck_repo.actions.campaign import REPORT, with_page
from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import one
from ck_repo.actions.package import DRY_RUN, TRUST
from ck_repo.actions.readiness import READINESS, read_settling
from ck_repo.actions.request import Request
from ck_repo.actions.run_options import declared
from ck_repo.actions.sweep import given_options
from ck_repo.run.options import RUN_OPTIONS
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.campaign.alternatives import Here
    from ck_repo.campaign.space import Space

ACTIONS: Actions = {}
_SET_BY_GOAL = ("scenario", "mode", "official", "compliance", "count", "target_qps", "samples_per_query")
_TRIALS, _PAIRS = 24, 5


@action(
    ACTIONS,
    "tune",
    "search for the fastest settings on this machine, and confirm them against the defaults",
    example="ck tune program:object-detection --goal=throughput --over.backend=onnxruntime,openvino --keep.mAP=-1%",
    usage="ck tune program:object-detection --goal=throughput|latency|server[,GOAL] [--over.OPTION=a,b] [options of ck run]",
    options=[
        Option(
            "goal",
            "`throughput` (samples/s), `latency` (of a query) or `server` (queries/s within the latency bound); with two "
            "goals, of which the second may be `accuracy`, the Pareto front of both",
            value="throughput,latency",
        ),
        Option(
            "over", "more options of `ck run` to search, with their values: models, backends …", kind="nested", parts="over"
        ),
        Option(
            "keep",
            "allowed loss of accuracy relative to the float32 model: --keep.mAP=-1% (default) or -0.005; also AP50, AP75",
            kind="nested",
        ),
        Option("trials", f"total number of trials, including earlier calls (default {_TRIALS})", kind="integer", minimum=1),
        Option("repetitions", f"number of pairs of runs that confirm the result (default {_PAIRS})", kind="integer", minimum=2),
        Option(
            "time_limit",
            "seconds after which no trial starts; the same command continues",
            kind="number",
            minimum=0,
            above=True,
        ),
        *READINESS,
        Option("name", "name of the campaign (default: tune- and a digest of its definition)", value="NAME"),
        *declared(*(row.name for row in RUN_OPTIONS if row.name not in _SET_BY_GOAL)),
        REPORT,
        DRY_RUN,
        TRUST,
    ],
)
def tune_program(request: Request) -> Answer:
    """Search for settings."""
    from ck_repo.campaign.alternatives import Here
    from ck_repo.campaign.axes import read_axes
    from ck_repo.campaign.campaign import TUNE, open_campaign
    from ck_repo.campaign.definition import Definition
    from ck_repo.campaign.goal import GOALS, read_goals, read_keep
    from ck_repo.campaign.matrix import Matrix, cell_of
    from ck_repo.campaign.optional import optional
    from ck_repo.campaign.space import space_of
    from ck_repo.campaign.tune import Search, Tuning
    from ck_repo.campaign.verdict_lines import verdict_lines
    from ck_repo.machine.platform import same_machine
    from ck_repo.machine.python_packages import site_packages
    from ck_repo.models.backends import read_backends
    from ck_repo.report.requirements import ensure_packages
    from ck_repo.run.pipeline import check_device
    from ck_repo.run.prepare import prepare

    program = one(request)
    goals = read_goals(request.needed("goal", f"one of {', '.join(GOALS)}, or two: throughput,latency"))
    over, keep = read_axes(request.nested("over"), "--over"), read_keep(request.nested("keep"))
    fixed = {**given_options(request), "scenario": goals[0].scenario}
    matrix = Matrix(fixed, over)
    base = cell_of(fixed, {name: values[0] for name, values in over.items()}).options
    check_device(base)
    plan = prepare(request.session, program, base)
    for model in over.get("model", ()):  # a model that does not exist is an error, not a failure of every trial with it
        prepare(request.session, program, replace(base, model=model, backend="", backend_options={}, calibration=""))
    backends = read_backends([program.path, *([site_packages(plan.venv.python)] if plan.venv else [])])
    here = Here(request.session, program, base, plan)
    found = here.alternatives(over, fixed, backends)
    first = {name: values[0] for name, values in {**found.axes, **over}.items()}
    reference = here.reference()
    space = space_of(plan, goals, over, backends, fixed, found)
    trials, names = request.integer("trials") or _TRIALS, [goal.name for goal in goals]
    searched = _shown(space)
    notes = [f"not searched: {name}: {why}" for name, why in found.left_out.items()]
    notes.append(f"accuracy is kept relative to {_reference_text(here, reference)}")
    settling = read_settling(request)
    if request.flag("dry_run"):
        data = {**row_of(program), "goals": names, "space": dict(searched), "combinations": space.size, "trials": trials}
        head = f"{', '.join(names)}: {trials} trials among {space.size} combinations"
        lines = [head, "", *table_lines(("searched", "values"), searched), "", *notes]
        return Answer({**data, "notes": notes, "left_out": dict(found.left_out)}, lines)
    optional("optuna", "tune")
    if request.flag("report"):
        ensure_packages()
    for note in notes:
        progress.say(note)
    name = request.text("name")
    campaign = open_campaign(
        request.session,
        Definition(program.uid, matrix, goals=tuple(names), machine=same_machine()),
        kind=TUNE,
        name=name,
        more={"goals": names, "space": dict(searched)},
    )
    search = Search(trials, request.integer("repetitions") or _PAIRS, keep, request.number("time_limit"))
    study, verdicts = Tuning(request.session, program, campaign, goals, space, first, reference or {}, settling).run(search)
    data = {
        "campaign": row_of(campaign.entry),
        "goals": names,
        "trials": study.rows(),
        "front": [vars(row) for row in study.front()],
        "verdicts": {name: verdict.as_data() for name, verdict in verdicts.items()},
    }
    return with_page(request, campaign, Answer(data, [f"{campaign.entry.cid}:", *verdict_lines(campaign.entry.meta())]))


def _shown(space: Space) -> list[tuple[str, str]]:
    """The settings of a space and their values, as text."""
    from ck_repo.campaign.verdict_lines import shown

    rows = {**space.common}
    rows |= {f"{name}: {key}": values for name, own in space.by_backend.items() for key, values in own.items()}
    return [(name, ", ".join(map(shown, values))) for name, values in rows.items()]


def _reference_text(here: Here, reference: Mapping[str, Any] | None) -> str:
    """What --keep compares with."""
    if reference is None:
        return "the default choice: a model of its network in 32-bit floats is not on this machine"
    if "model" in reference:
        return f"the model {reference['model']}, which is that of the network in 32-bit floats"
    options = here.options.backend_options
    return "the default choice" + (f", without {', '.join(f'--backend.{name}' for name in options)}" if options else "")

"""Programs: run, benchmark, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ck_repo.actions.declare import Actions, Answer, Option, action, without_effect
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import one
from ck_repo.actions.machine_venv import VENV_FILES
from ck_repo.actions.new_venv import confirm_new_venv
from ck_repo.actions.package import DRY_RUN, TRUST
from ck_repo.actions.request import Request
from ck_repo.actions.run_options import declared, not_of_audits, run_options
from ck_repo.actions.run_shards import answering, read_shards
from ck_repo.contract.record import write
from ck_repo.errors import MismatchError, UsageError
from ck_repo.store.entry import tag_list
from ck_repo.store.repository import check_name

if TYPE_CHECKING:
    from ck_repo.run.options import RunOptions
    from ck_repo.run.pipeline import RunRecord
    from ck_repo.store.entry import Entry

ACTIONS: Actions = {}
_ABOUT = ("version", "version_of_round")  # printed with the choice of LoadGen
_OF_CK = {
    "speed": "nothing is compiled",
    "skip_print_timers": "results are printed as a table",
    "skip_clean_after": "every run has its own folder",
    "return_error_if_external_fail": "a run that fails is always an error",
    "skip_stat_analysis": "`ck replay experiment` compares repetitions",
    "process_multi_keys": "`ck replay experiment` compares repetitions",
}
_NOT_OF_AUDITS = (
    "shards",
    "cluster",
    "certificates",
    "bundle",
    "lock",
    "tuned",
    "cmd_key",
    "record",
    "no_record",
    "repetitions",
    "report",
    "timings",
    "print_files",
)
_OPTIONS = [
    *declared(),
    Option(
        "record",
        "name of the experiment (default: its UID)",
        value="NAME",
        aliases=("record_uoa",),
    ),
    Option("no_record", "print the results without recording an experiment", kind="flag"),
    Option("record_repo", "the repository to record in (default local)", value="NAME"),
    Option("tags", "further tags of the experiment", value="a,b"),
    Option("repetitions", "number of runs, each recorded (default 1)", kind="integer", minimum=1),
    Option("cmd_key", "CK's option for mode and scenario", value="accuracy-offline"),
    Option("env", "CK's variables for options: CK_LOADGEN_SCENARIO, CK_BATCH_SIZE, EXTRA_OPS …", kind="nested"),
    Option("report", "write the report of the run, too, as `ck report` does", kind="flag"),
    Option("timings", "print how long each part of the command took; experiments always record it", kind="flag"),
    Option("print_files", "files of the run folder to print at the end", value="a,b"),
    Option("shards", "divide the accuracy run: among N processes, or among the `machines` of --cluster=", value="N"),
    Option("cluster", "machines that process the shards, as in `ck sweep`", value="ssh:hosts.yaml"),
    Option("certificates", "the cluster whose certificates are used (default `default`)", value="NAME"),
    *VENV_FILES,
    Option("tuned", "use the settings that `ck tune` found on this machine; explicit options take precedence", kind="flag"),
    DRY_RUN,
    Option("explain", "show what would be done, and why, without doing it", kind="flag"),
    TRUST,
    *(without_effect(name, why) for name, why in _OF_CK.items()),
]


@action(
    ACTIONS,
    "run",
    "install the dependencies of a benchmark, run it, record the results",
    example="ck run program:object-detection --scenario=server --target-qps=50 --target-latency=100",
    usage="ck run program:object-detection [options]",
    options=_OPTIONS,
)
def run(request: Request) -> Answer:
    """Run a benchmark."""
    from ck_repo.experiments.experiment_table import experiment_lines
    from ck_repo.experiments.meta import read_experiment
    from ck_repo.experiments.repetitions import spread_of
    from ck_repo.experiments.timing_table import timing_lines
    from ck_repo.run.pipeline import forget

    if request.flag("dry_run") or request.flag("explain"):
        return explain_run(request)
    if request.flag("no_record") and request.text("record") not in ("", "no"):
        raise UsageError("--record and --no_record exclude each other", hint="omit one of them")
    if request.flag("no_record") and request.flag("report"):
        raise UsageError("--no_record and --report exclude each other", hint="a report needs a recorded run")
    files = tag_list(request.text("print_files"))
    for file in files:
        check_name(file)
    if request.flag("report"):
        from ck_repo.report.requirements import ensure_packages

        ensure_packages()  # check before the run that the report can be written
    records = run_records(request)
    lines: list[str] = []
    for record in records:
        entry = record.experiment
        lines += ["", *timing_lines(record.timings)] if request.flag("timings") else []
        lines += ["", *experiment_lines("not kept" if request.flag("no_record") else entry.alias, read_experiment(entry))]
        for path in (path for file in files for path in sorted(entry.path.rglob(file)) if path.is_file()):
            shown = path.relative_to(entry.path) if request.flag("no_record") else path
            lines += ["", f"{shown}:", path.read_text(encoding="utf-8", errors="replace").rstrip()]
    spread = spread_of([read_experiment(record.experiment) for record in records])
    lines += ["", spread.line()] if spread else []
    repeated = {"spread": spread.as_data()} if spread else {}
    if request.flag("no_record"):
        forget(records)
        results = [{"results": write(record.results), **_timings_of(record)} for record in records]
        return Answer(dict(results[-1]) | ({"runs": results, **repeated} if len(results) > 1 else {}), lines[1:])
    runs = [
        {
            "path": str(record.experiment.path),
            "experiment": experiment_of(record.experiment),
            "results": write(record.results),
            **_timings_of(record),
        }
        for record in records
    ]
    data = dict(runs[-1]) | ({"runs": runs, **repeated} if len(runs) > 1 else {})
    lines += ["", f"recorded: {entry.path} (`ck show experiment:{entry.alias}`)"]
    if request.flag("report"):
        from ck_repo.actions import experiment_report

        done = experiment_report.write(Request("report", session=request.session), [record.experiment for record in records])
        data["report"] = done.data["path"]
        lines += done.lines
    return Answer(data, lines[1:])


def run_records(request: Request) -> list[RunRecord]:
    """Run a benchmark as often as requested; each run is recorded."""
    from ck_repo.run.options import AUTO
    from ck_repo.run.pipeline import run_repeatedly

    name = "" if request.text("record") in ("yes", "no") else request.text("record")  # CK's --record has no name
    program = one(request)
    options = _chosen(request, program)
    shards = read_shards(request, options)
    confirm_new_venv(request)
    if options.backend == AUTO:
        from ck_repo.run.fastest_backend import fastest_backend

        options = fastest_backend(request.session, program, options)
    with answering(request, shards) as answers:
        return run_repeatedly(
            request.session,
            program,
            options,
            request.integer("repetitions") or 1,
            name=name,
            repository=request.text("record_repo"),
            tags=tag_list(request.text("tags")),
            answering=answers,
        )


def _timings_of(record: RunRecord) -> dict[str, object]:
    """How long the parts of a run took, for JSON."""
    return {"timings": [write(part) for part in record.timings]}


def _chosen(request: Request, program: Entry) -> RunOptions:
    """The options of a run, with the tuned settings if requested."""
    options = run_options(request)
    if not request.flag("tuned"):
        return options
    from ck_repo.campaign.tuned import tuned_options

    return tuned_options(request.session, program, options)


def experiment_of(entry: Entry) -> dict[str, str]:
    """The name of an experiment in JSON results."""
    return {"uid": entry.uid, "alias": entry.alias, "path": str(entry.path)}


@action(
    ACTIONS,
    "explain",
    "show what a run would use, why, and what was rejected",
    example="ck explain program:object-detection --model=ssd-mobilenet",
    options=_OPTIONS,
)
def explain_run(request: Request) -> Answer:
    """Resolve a run and show the plan."""
    from ck_repo.install.to_fetch import fetch_lines
    from ck_repo.resolve import explain
    from ck_repo.run.options import AUTO
    from ck_repo.run.pipeline import foresee
    from ck_repo.run.prepare import prepare
    from ck_repo.run.rates import rates
    from ck_repo.run.spec import loadgen_settings, rules_of

    entry, notes = one(request), []
    options = _chosen(request, entry)
    if options.backend == AUTO:
        from ck_repo.run.fastest_backend import planned

        options, note = planned(request.session, entry, options)
        notes = [note]
    plan = prepare(request.session, entry, options)
    settings = write(loadgen_settings(plan.options, rules_of(plan)))
    venv = f"venv {plan.venv.name}, Python {plan.venv.version}" if plan.venv else "a new venv"
    if plan.venv_plan:
        venv = f"a new venv:{plan.venv_plan.name} from {plan.venv_plan.template.name}, Python {plan.venv_plan.python.version}"
    reasons = request.flag("explain") or request.action == "explain"
    tests = " and ".join(plan.options.modes)
    parts = [f"{key} {value}" for key, value in settings.items() if value not in (None, {}) and key not in _ABOUT]
    lines = [
        f"run {entry.cid}: {plan.options.scenario}, {tests}, {plan.backend} on {plan.options.device}",
        *notes,
        f"in {venv}",
        *explain.as_lines(plan.choices, reasons=reasons),
        *fetch_lines(plan.choices),
        f"LoadGen: {', '.join(parts)}",
        *(issuing := rates(plan.options.modes, rules_of(plan).scenario(plan.options.scenario), settings)),
    ]
    data = {**row_of(entry), "plan": explain.as_data(plan.choices), "loadgen": settings, "backend": plan.backend, "venv": venv}
    data["rates"] = issuing
    return Answer({**data, "notes": foresee(plan)}, lines)


def _reference(request: Request) -> Entry | None:
    """The experiment of ``--reference=``: NAME, experiment:NAME or REPOSITORY:experiment:NAME; None without one."""
    from ck_repo.store.search import load

    text = request.text("reference")
    if not text:
        return None
    before, _, name = text.rpartition(":")
    repository, _, module = before.rpartition(":")
    if module not in ("", "experiment"):
        raise UsageError(f"{text} is not an experiment", hint="--reference=experiment:NAME")
    return load(request.session.repositories, "experiment", name, repository)


@action(
    ACTIONS,
    "audit",
    "run and verify every compliance test of a scenario; exit status 10 if one fails",
    example="ck audit program:object-detection --scenario=offline --official",
    usage="ck audit program:object-detection [options of ck run] [--reference=EXPERIMENT]",
    options=[
        *(row for row in _OPTIONS if row.name not in (*_NOT_OF_AUDITS, *not_of_audits())),
        Option("reference", "the reference experiment, whose options are used (default: a new run)", value="NAME"),
    ],
)
def audit_run(request: Request) -> Answer:
    """Run TEST01, TEST04-A, TEST04-B and TEST05 against a reference run."""
    from ck_repo.rounds.round import load_round
    from ck_repo.run.pipeline import check_device
    from ck_repo.submit.audit import audit_program, tests_for

    program, options = one(request), run_options(request)
    if request.flag("dry_run") or request.flag("explain"):
        names = tests_for(load_round(options.round), options.scenario)
        reference = _reference(request)
        first = reference.cid if reference else "a reference run"
        return Answer({"tests": names}, [f"{first}, then {', '.join(names)}: {options.scenario}"])
    check_device(options)
    confirm_new_venv(request)
    base, tests = audit_program(
        request.session,
        program,
        options,
        _reference(request),
        scenario=request.text("scenario"),
        round_name=request.text("round"),
        repository=request.text("record_repo"),
        tags=tag_list(request.text("tags")),
    )
    failed = [row.name for row in tests if not row.passed]
    lines = []
    for row in tests:
        lines += [f"{row.name}: {'PASS' if row.passed else 'FAIL'}  {row.experiment.path}"]
        lines += [f"  {line}" for text in row.texts.values() for line in text.splitlines()]
        lines += [f"  {row.remark}"] if row.remark else []
    rows = [
        {"test": row.name, "passed": row.passed, "experiment": row_of(row.experiment), "remark": row.remark, **row.texts}
        for row in tests
    ]
    data = {"reference": row_of(base), "tests": rows, "passed": not failed}
    if failed:
        return Answer({"error": f"failed: {', '.join(failed)}", **data}, lines, status=MismatchError.code)
    return Answer(data, lines)

"""The workflow of `ck run`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ck_repo.contract.record import write
from ck_repo.contract.results import Results
from ck_repo.contract.spec import AccuracyPart, Spec
from ck_repo.contract.timings import Part, Timings
from ck_repo.environment.collect import locked_components, locked_program, make_lock
from ck_repo.environment.create import create_venv
from ck_repo.environment.lockfile import NAME, Lock, LockedComponent, write_lock
from ck_repo.environment.locking import extend_lock, read_venv_lock
from ck_repo.environment.venv import Venv
from ck_repo.errors import RunError, UsageError
from ck_repo.experiments.experiment import Recording
from ck_repo.experiments.provenance import provenance
from ck_repo.install.installer import Installer
from ck_repo.machine.gpu import has_cuda
from ck_repo.resolve.permission import refuse_foreign_code
from ck_repo.resolve.plan import env_of, variant_of
from ck_repo.rounds.rules import mlperf_conf, user_conf
from ck_repo.run.harness import run_harness
from ck_repo.run.kept_layout import place_of
from ck_repo.run.meter import metered
from ck_repo.run.official import check_official
from ck_repo.run.options import RunOptions
from ck_repo.run.prepare import DATASET, WEIGHTS, RunPlan, prepare
from ck_repo.run.shards import ACCURACY, Answering, answer_part
from ck_repo.run.spec import build_spec, rules_of, spec_data
from ck_repo.session import Session
from ck_repo.store.atomic import write_json, write_text
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.folders import repos_root
from ck_repo.store.installed import Installed, described
from ck_repo.store.repositories import default_repository_alias
from ck_repo.store.writing import remove_entry
from ck_repo.trust import require_code

_SHARDS = "shards"  # folder of the answers, while the run is made


@dataclass(frozen=True)
class RunRecord:
    """What a run left: its experiment entry, its results, and how long its parts took."""

    experiment: Entry
    results: Results
    timings: tuple[Part, ...] = ()


def check_device(options: RunOptions) -> None:
    """Refuse a device that the machine does not have; plans for other machines may use it."""
    if options.device == "cuda" and not has_cuda():
        raise RunError(
            "there is no NVIDIA GPU, or its driver is not loaded: --device=cuda cannot be used",
            hint="use --device=cpu; `nvidia-smi` shows the GPUs that the driver detects",
        )


def run_repeatedly(
    session: Session, program: Entry, options: RunOptions, repetitions: int = 1, *, name: str = "", **more: Any
) -> list[RunRecord]:
    """Run a program several times; each run is planned and recorded separately.

    Parameters
    ----------
    name
        Alias of the experiment, if there is only one.
    more
        As for `execute`.

    Raises
    ------
    UsageError
        If there is a name for several runs.
    RunError
        If the device is not available, or a run fails; earlier ones are recorded.
    """
    check_device(options)
    if name and repetitions > 1:
        raise UsageError("--record=NAME names one experiment", hint="omit the name if there are repetitions")
    records = []
    for _ in range(repetitions):
        timings = Timings()
        with timings.part("resolve"):
            plan = prepare(session, program, options)
        records.append(execute(session, plan, name=name, timings=timings, **more))
    return records


def forget(records: Sequence[RunRecord]) -> None:
    """Remove the experiments of runs that are not recorded."""
    for record in records:
        remove_entry(record.experiment)


def execute(
    session: Session,
    plan: RunPlan,
    *,
    name: str = "",
    repository: str = "",
    tags: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
    limit: float | None = None,
    timings: Timings | None = None,
    answering: Answering | None = None,
) -> RunRecord:
    """Carry out a plan: create the venv, install, run the harness, record.

    Parameters
    ----------
    name
        Alias of the experiment; its UID if empty.
    repository
        The repository to record in; `local` if empty.
    tags
        Additional tags of the experiment.
    more
        Additional keys of the experiment's meta.
    limit
        Seconds after which the harness is ended (`OverTimeError`); None for any.
    timings
        What was measured before; the parts of the run are added.
    answering
        Answers the accuracy run in shards; None for one process.
    """
    timings = timings or Timings()
    _require_program(session, plan)
    check_device(plan.options)
    began = time.time()
    recording = Recording(session, repository, name)  # first: a taken name is reported before the work
    venv, installed, components = install(session, plan, timings)
    with recording.folder() as folder, ExitStack() as before:
        before.enter_context(timings.part("lock and spec"))
        spec = build_spec(plan, installed)
        lock = make_lock(session, venv.python, read_venv_lock(session, venv).template, components, plan.options.as_data())
        packages = {name: row.version for name, row in lock.packages.items()}
        kept = place_of(plan, spec, installed[WEIGHTS], packages)
        spec = replace(spec, layout=None if plan.options.retune else kept.read())
        _write_inputs(folder, plan, spec, lock)
        notes = check_official(plan.options, rules_of(plan), spec, installed, folder) if plan.options.official else []
        before.close()
        start = _starter(session, plan, venv, installed, limit)
        shards = []
        if answering and ACCURACY in spec.modes:
            with timings.part("shards"):
                shards = answering(plan, spec, start, folder / _SHARDS)
            answers = tuple(folder / _SHARDS / f"{shard.index}" for shard in shards)
            write_json(folder / "spec.json", spec_data(replace(spec, answers=answers), plan.options))
        started = time.time()
        with metered(plan.options.meter, folder / "performance"):
            results = start(folder / "spec.json", None)
        if shards:  # the experiment is that of one run
            write_json(folder / "spec.json", spec_data(spec, plan.options))
            shutil.rmtree(folder / _SHARDS)
        ended = time.time()
        timings.add([Part("start of the harness", _rest(ended - started, results.timings)), *results.timings])
        kept.keep(spec.layout, results)
        meta = {
            "tags": _experiment_tags(plan, spec, tags),
            **_what_ran(plan, spec, installed),
            "results": write(results),
            "seconds": {"all": round(ended - began, 3), "harness": round(ended - started, 3)},
            "timings": [write(part) for part in timings.parts],
            **provenance(venv, lock),
            **({"notes": notes} if notes else {}),
            **({"shards": [shard.as_data() for shard in shards]} if shards else {}),
            **(more or {}),
        }
        with timings.part("record"):
            experiment = recording.publish(folder, meta)
        return RunRecord(experiment, results, timings.parts)


def _rest(seconds: float, parts: Sequence[Part]) -> float:
    """What is left of a time without its parts."""
    return round(max(seconds - sum(part.seconds for part in parts), 0.0), 3)


def answer_shard(session: Session, plan: RunPlan, part: AccuracyPart, folder: Path) -> None:
    """Install what a run needs, and answer a part of its accuracy run; see `shards.answer_part`."""
    _require_program(session, plan)
    check_device(plan.options)
    venv, installed, _ = install(session, plan)
    answer_part(plan, build_spec(plan, installed), part, _starter(session, plan, venv, installed, None), folder)


def _starter(
    session: Session, plan: RunPlan, venv: Venv, installed: Mapping[str, Installed], limit: float | None
) -> Callable[[Path, Callable[[], bool] | None], Results]:
    """Runs the harness of a plan on a spec."""
    program, modules = plan.program.entry, _modules(plan, installed, session.trust)
    visible = {"CUDA_VISIBLE_DEVICES": plan.options.visible_devices} if plan.options.visible_devices else {}

    def start(spec: Path, stopped: Callable[[], bool] | None) -> Results:
        return run_harness(
            venv.python,
            program.path,
            harness_of(program),
            spec,
            modules,
            visible,
            backend=plan.backend,
            device=plan.options.device,
            limit=limit,
            stopped=stopped,
        )

    return start


def _what_ran(plan: RunPlan, spec: Spec, installed: Mapping[str, Installed]) -> dict[str, object]:
    """The keys of an experiment's meta for the components and the options of the run."""
    program = plan.program.entry
    return {
        "program": {"alias": program.alias, "uid": program.uid, "digest": plan.program.digest},
        "options": plan.options.as_data(),
        "spec": spec_data(spec, plan.options),
        "model": described(installed[WEIGHTS]),
        "dataset": described(installed[DATASET]),
    }


def make_ready(session: Session, plan: RunPlan) -> None:
    """Create the venv of a plan and install the needs of its run, without running it."""
    _require_program(session, plan)
    install(session, plan)


def _require_program(session: Session, plan: RunPlan) -> None:
    """Refuse a program of another repository."""
    program = plan.program.entry
    require_code(program.path, "program", session.trust, instead=f"{default_repository_alias()}:{program.cid}")


def install(
    session: Session, plan: RunPlan, timings: Timings | None = None
) -> tuple[Venv, dict[str, Installed], tuple[LockedComponent, ...]]:
    """Create the venv if there is none, and install the needs of the run; the venv's lock records them.

    Parameters
    ----------
    timings
        What takes time is added.
    """
    timings = timings or Timings()
    refuse_foreign_code(plan.choices, session.trust)
    venv = plan.venv
    if venv is None:
        assert plan.venv_plan is not None
        with timings.part("venv"):
            venv = create_venv(session, plan.venv_plan)
    before = venv.packages
    installer = Installer(session, venv.python)
    installed = installer.install(plan.choices)
    timings.add(installer.timings.parts)
    with timings.part("lock of the venv"):
        components = (*locked_components(session, installed.items()), locked_program(plan.program))
        extend_lock(session, venv, before, components)
    return venv, installed, components


def _modules(plan: RunPlan, installed: Mapping[str, Installed], trust: bool) -> list[str]:
    """Folders of Python modules of libraries: only those of recipes that may run, whoever installed them."""
    found = []
    for key, choice in plan.choices.items():
        path, variant = installed[key].python_path, variant_of(choice)
        if not path or "python-package" not in choice.tags or variant is None:
            continue
        require_code(variant.component.entry.path, "Python modules", trust)
        found.append(path)
    return found


def foresee(plan: RunPlan) -> list[str]:
    """Print the checks of an official run before it starts, as far as its needs are installed; return their warnings."""
    ready = {key: env for key, choice in plan.choices.items() if (env := env_of(choice))}
    if not plan.options.official or not {WEIGHTS, DATASET} <= set(ready):
        return []
    return check_official(plan.options, rules_of(plan), build_spec(plan, ready), ready, repos_root())


def _write_inputs(folder: Path, plan: RunPlan, spec: Spec, lock: Lock) -> None:
    """The inputs of the run: spec, lock, and for each test the settings in the round's own syntax."""
    write_lock(folder / NAME, lock)
    write_json(folder / "spec.json", spec_data(spec, plan.options))
    rules = rules_of(plan)
    for mode in spec.modes:
        write_text(folder / mode / "mlperf.conf", mlperf_conf(rules))
        write_text(folder / mode / "user.conf", user_conf(rules, plan.options.scenario, spec.loadgen))


def harness_of(program: Entry) -> str:
    """The Python package of the program's harness."""
    return Fields(program.meta(), program.path / META).needed("harness")


def _experiment_tags(plan: RunPlan, spec: Spec, more: Sequence[str]) -> list[str]:
    found = {
        "experiment",
        "mlperf",
        "object-detection",
        plan.options.round,
        plan.options.scenario,
        plan.backend,
        *spec.modes,
        *more,
    }
    found |= {spec.model.name, spec.dataset.name}
    if plan.options.compliance:
        found |= {"compliance", plan.options.compliance}
    return sorted(tag.replace(" ", "-").replace(",", "-") for tag in found if tag)

"""The workflow of `ck run`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo.contract.record import write
from ck_repo.contract.results import Results
from ck_repo.contract.spec import Spec
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
from ck_repo.run.meter import metered
from ck_repo.run.official import check_official
from ck_repo.run.options import RunOptions
from ck_repo.run.prepare import DATASET, WEIGHTS, RunPlan, prepare
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


@dataclass(frozen=True)
class RunRecord:
    """The result of a run: its experiment entry and its results."""

    experiment: Entry
    results: Results


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
    """
    check_device(options)
    if name and repetitions > 1:
        raise UsageError("--record=NAME is for one experiment", hint="omit the name for repetitions")
    return [execute(session, prepare(session, program, options), name=name, **more) for _ in range(repetitions)]


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
        Seconds after which the harness is ended (`OverTimeError`); None for no limit.
    """
    _require_program(session, plan)
    program = plan.program.entry
    check_device(plan.options)
    begun = time.time()
    recording = Recording(session, repository, name)  # first, so that a taken name is reported before any work
    venv, installed, components = install(session, plan)
    modules = _modules(plan, installed, session.trust)
    spec = build_spec(plan, installed)
    with recording.folder() as folder:
        lock = make_lock(session, venv.python, read_venv_lock(session, venv).template, components, plan.options.as_data())
        _write_inputs(folder, plan, spec, lock)
        notes = check_official(plan.options, rules_of(plan), spec, installed, folder) if plan.options.official else []
        started = time.time()
        visible = {"CUDA_VISIBLE_DEVICES": plan.options.visible_devices} if plan.options.visible_devices else {}
        with metered(plan.options.meter, folder / "performance"):
            results = run_harness(
                venv.python,
                program.path,
                harness_of(program),
                folder / "spec.json",
                modules,
                visible,
                backend=plan.backend,
                limit=limit,
            )
        ended = time.time()
        meta = {
            "tags": _experiment_tags(plan, spec, tags),
            **_what_ran(plan, spec, installed),
            "results": write(results),
            "seconds": {"all": round(ended - begun, 3), "harness": round(ended - started, 3)},
            **provenance(venv, lock),
            **({"notes": notes} if notes else {}),
            **(more or {}),
        }
        return RunRecord(recording.publish(folder, meta), results)


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


def install(session: Session, plan: RunPlan) -> tuple[Venv, dict[str, Installed], tuple[LockedComponent, ...]]:
    """Create the venv if there is none, and install the needs of the run; update the venv's lock."""
    refuse_foreign_code(plan.choices, session.trust)
    venv = plan.venv
    if venv is None:
        assert plan.venv_plan is not None
        venv = create_venv(session, plan.venv_plan)
    before = venv.packages
    installed = Installer(session, venv.python).install(plan.choices)
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
        write_text(folder / mode / "user.conf", user_conf(rules, plan.options.scenario, write(spec.loadgen)))


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

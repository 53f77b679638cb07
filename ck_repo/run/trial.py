"""Test a model: run ten images, and draw the detections."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from ck_repo.child import last_lines, run_child
from ck_repo.errors import RunError
from ck_repo.resolve.plan import env_of
from ck_repo.run.harness import SETTINGS
from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import harness_of, install
from ck_repo.run.prepare import DATASET, RunPlan, prepare
from ck_repo.run.spec import build_spec, spec_data
from ck_repo.session import Session
from ck_repo.store.atomic import write_json
from ck_repo.store.entry import Entry, read_json_object
from ck_repo.store.repositories import default_repository_alias
from ck_repo.store.search import load

IMAGES = 10
_PROGRAM, _DEMO = "object-detection", "dataset,demo,shapes"  # the demo set is small, and needs no network
PICTURE, FINDINGS = "trial.png", "trial.json"


def try_model(session: Session, env: Entry, dataset: str = "", venv: str = "") -> tuple[Path, int]:
    """Run a registered model on ten images, and draw its detections.

    Parameters
    ----------
    env
        Its env entry.
    dataset
        Tags of the data set; by default that of the model if it is on this machine, otherwise the demo set.

    Returns
    -------
    picture, detections
        The picture, in the current folder, and the number of its detections.

    Raises
    ------
    RunError
        If the model cannot be run, or its outputs are invalid.
    """
    name = str(env.meta()["name"])
    options = RunOptions(model=name, dataset=dataset, venv=venv, mode="accuracy", count=IMAGES, sessions=1, batch_size=1)
    plan = _plan(session, options)
    built, installed, _ = install(session, plan)
    program = plan.program.entry
    with tempfile.TemporaryDirectory(prefix="ck-trial-") as temporary:
        folder = Path(temporary)
        write_json(folder / "spec.json", spec_data(build_spec(plan, installed), plan.options))
        command = [str(built.python), "-m", f"{harness_of(program)}.trial", str(folder / "spec.json")]
        environment = {"PYTHONPATH": os.fspath(program.path)} | SETTINGS
        status = run_child(command, folder, folder / "stdout.log", folder / "stderr.log", environment)
        report = folder / "error.json"
        if report.exists():
            row = read_json_object(report)
            raise RunError(f"{name} was registered, but cannot be run: {row.get('error')}", hint=str(row.get("hint", "")))
        if status or not (folder / FINDINGS).exists():
            raise RunError(f"{name} was registered, but cannot be run", tail=last_lines(folder / "stderr.log"))
        found = read_json_object(folder / FINDINGS)
        picture = Path.cwd() / f"{Path(name).stem}-try.png"
        shutil.copyfile(folder / PICTURE, picture)
    return picture, int(found["detections"])


def _plan(session: Session, options: RunOptions) -> RunPlan:
    """The plan with the data set of the model, or with the demo set instead of one that would have to be downloaded."""
    program = load(session.repositories, "program", _PROGRAM, default_repository_alias())
    plan = prepare(session, program, options)
    if options.dataset or env_of(plan.choices[DATASET]):
        return plan
    return prepare(session, program, replace(options, dataset=_DEMO))

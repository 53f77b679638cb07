"""The layout (sessions, threads, batch) that an earlier run measured, kept for the next run with the same configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.contract.results import Results
from ck_repo.contract.spec import MeasuredLayout, Spec
from ck_repo.errors import CKError
from ck_repo.machine.hardware import nvidia_gpus
from ck_repo.machine.platform import same_machine
from ck_repo.machine.python_packages import normalised
from ck_repo.rounds.round import load_round
from ck_repo.run.options import MEASURED, RunOptions
from ck_repo.run.prepare import RunPlan
from ck_repo.store.atomic import write_json
from ck_repo.store.digest import of_value
from ck_repo.store.entry import read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.folders import tools_root
from ck_repo.store.installed import Installed

_OPTIONS = ("scenario", "device", "visible_devices", "backend_options")


@dataclass(frozen=True)
class KeptLayout:
    """The place of a run's layout.

    Attributes
    ----------
    subject
        What has to be the same for the layout to be used; see `place_of`.
    """

    subject: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Its file, one for each subject, so that runs of different things never write the same one."""
        return tools_root() / ".cache" / "layouts" / f"{of_value(self.subject)[:32]}.json"

    def read(self) -> MeasuredLayout | None:
        """The layout; None if there is none, or, with a warning, if the file is damaged."""
        if not os.path.lexists(self.path):
            return None
        try:
            fields = Fields(read_json_object(self.path), self.path)
            if fields.table("subject") != json.loads(json.dumps(self.subject)):
                raise fields.error("subject", "another one", "that of its name")
            return fields.fields("layout").record(MeasuredLayout)
        except (CKError, OSError) as error:
            why = error.what if isinstance(error, CKError) else str(error)
            progress.warn(f"the kept layout is ignored and measured again: {why}")
            return None

    def keep(self, before: MeasuredLayout | None, results: Results) -> None:
        """Keep what a run measured. The run is over: a disk that cannot be written is only a warning."""
        if results.layout is None or results.layout == before:
            return
        try:
            write_json(self.path, {"subject": self.subject, "layout": write(results.layout)})
        except (CKError, OSError) as error:
            why = error.what if isinstance(error, CKError) else str(error)
            progress.warn(f"the layout is not kept for the next run: {why}")


def place_of(plan: RunPlan, spec: Spec, weights: Installed, packages: Mapping[str, str]) -> KeptLayout:
    """Where the layout of a run is kept: what it depends on is the model, framework, options, harness and machine.

    Parameters
    ----------
    weights
        The model, which is known by the digest of its file.
    packages
        Name to version of the Python packages of the run's venv.
    """
    options, interface = plan.options, write(spec.model)
    for name in ("name", "path"):
        interface.pop(name)
    names = {normalised(name) for name in plan.framework}
    subject: dict[str, object] = {
        "machine": same_machine(),
        "program": plan.program.digest,
        "model": weights.digest,
        "interface": interface,
        "framework": {name: version for name, version in packages.items() if name in names},
        "options": subject_options(options),
    }
    if options.device == "cuda":
        subject["gpus"] = nvidia_gpus("name", "driver_version")
    rules = load_round(options.round).scenario(options.scenario)
    if rules.at_rate:
        subject["latency_bound_ms"] = spec.loadgen.target_latency_ms
    if rules.several_samples:
        subject["samples_per_query"] = spec.loadgen.samples_per_query
    if spec.model.size is None:  # inputs are as large as the images
        subject["images"] = spec.dataset.digest
    return KeptLayout(subject)


def subject_options(options: RunOptions) -> dict[str, object]:
    """The options that a layout depends on, with those that fix a part of it."""
    return {name: getattr(options, name) for name in (*_OPTIONS, *MEASURED)}

"""``--backend=auto``: the fastest of the backends that run a model with the same accuracy, kept for the next run."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.errors import CKError, RunError, UsageError
from ck_repo.experiments.figures import TRIAL
from ck_repo.machine.platform import same_machine
from ck_repo.machine.python_packages import site_packages
from ck_repo.models.backends import read_backends
from ck_repo.rounds.round import load_round
from ck_repo.run.kept_layout import subject_options
from ck_repo.run.options import AUTO, RunOptions
from ck_repo.run.pipeline import execute, forget
from ck_repo.run.prepare import DATASET, RunPlan, prepare
from ck_repo.session import Session
from ck_repo.store.atomic import write_json
from ck_repo.store.digest import of_value
from ck_repo.store.entry import Entry, read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.folders import tools_root

SAME = 0.001  # mAP by which the answers of two backends may differ: their arithmetic differs in the last digits
_IMAGES, _SECONDS, _TAIL = 64, 2.0, "p90"
_ROUNDS, _CLOSE = 2, 1.5  # further measurements in turns, of backends that are at most so many times slower than the fastest
_CLEARLY = 1.1  # how many times as fast as the default another backend has to be: short measurements differ by some percent
# options that a measurement shares with the run
_SHARED = (
    "model", "dataset", "device", "visible_devices", "round", "samples_per_query", "batch_size", "threads", "sessions",
    "processes", "venv", "added_tags", "reference_faults",
)  # fmt: skip


@dataclass(frozen=True)
class Rated:
    """What a backend reached.

    Attributes
    ----------
    rate
        Offline and Server: samples/s of an Offline run. SingleStream and MultiStream: the inverse of the 90th percentile of
        the latency, 1/s.
    mAP
        On the images of the measurement.
    """

    backend: str
    rate: float
    mAP: float


@dataclass(frozen=True)
class Candidates:
    """The backends that can run a model.

    Attributes
    ----------
    plans
        The plan of each, by name; the model's default backend first.
    refused
        Why the others cannot, by name.
    """

    plans: Mapping[str, RunPlan]
    refused: Mapping[str, str]

    @property
    def default(self) -> str:
        """The model's default backend."""
        return next(iter(self.plans))


def candidates(session: Session, program: Entry, options: RunOptions) -> Candidates:
    """The backends that can run the model of a run; nothing is installed.

    Raises
    ------
    UsageError
        If there are options of a backend.
    """
    if options.backend_options:
        raise UsageError(
            f"--backend.{next(iter(options.backend_options))} and --backend={AUTO} exclude each other",
            hint="`ck tune` searches backends together with their options",
        )
    first = prepare(session, program, replace(options, backend=""))
    plans, refused = {first.backend: first}, {}
    site = [site_packages(first.venv.python)] if first.venv else []
    for name in read_backends([program.path, *site]):
        if name not in plans:
            try:
                plans[name] = prepare(session, program, replace(options, backend=name))
            except CKError as error:
                refused[name] = error.what
    return Candidates(plans, refused)


def kept_backend(found: Candidates, options: RunOptions) -> str:
    """The backend that an earlier measurement of the same candidates chose; empty if there is none."""
    subject = _subject(found, options)
    path = _path(subject)
    if options.retune or not os.path.lexists(path):
        return ""
    try:
        fields = Fields(read_json_object(path), path)
        if fields.table("subject") != json.loads(json.dumps(subject)):
            raise fields.error("subject", "another one", "that of its name")
        backend = fields.needed("backend")
    except (CKError, OSError) as error:
        progress.warn(f"the kept backend is ignored and measured again: {error}")
        return ""
    return backend if backend in found.plans else ""


def fastest_backend(session: Session, program: Entry, options: RunOptions) -> RunOptions:
    """The options with the fastest backend of those with the accuracy of the model's default backend.

    Each is installed, and runs the first images of the data set and a short performance test. The choice is kept until the
    machine, the model, the data set, a framework or an option that matters changes.

    Raises
    ------
    CKError
        If the default backend fails; another one that fails is skipped with a message.
    """
    found = candidates(session, program, options)
    if backend := kept_backend(found, options):
        progress.say(f"backend {backend}: chosen by an earlier measurement (--retune measures again)")
        return replace(options, backend=backend)
    if len(found.plans) == 1:
        progress.say(f"backend {found.default}: no other one runs this model here")
        return replace(options, backend=found.default)
    progress.say(f"measuring {len(found.plans)} backends: {', '.join(found.plans)}")
    base = _measured(session, program, options, found.default)
    rates = {base.backend: [base.rate]}
    for name in list(found.plans)[1:]:
        try:
            row = _measured(session, program, options, name)
        except CKError as error:
            progress.say(f"backend {name} is excluded: {error.what}")
            continue
        if abs(row.mAP - base.mAP) > SAME:
            progress.say(f"backend {name} is excluded: its mAP differs by more than {SAME:g} from that of {base.backend}")
            continue
        rates[name] = [row.rate]
    fastest = max(row[0] for row in rates.values())
    close = [name for name, row in rates.items() if row[0] * _CLOSE >= fastest]
    for name in close * _ROUNDS if len(close) > 1 else ():  # in turns, so that a disturbance of the machine meets all
        if name not in rates:
            continue
        try:
            rates[name].append(_measured(session, program, replace(options, retune=False), name).rate)
        except CKError as error:
            if name == base.backend:
                raise
            progress.say(f"backend {name} is excluded: {error.what}")
            del rates[name]
    best, speed = _chosen({name: statistics.median(row) for name, row in rates.items()}, base.backend)
    progress.say(f"backend {best}: {speed}")
    _keep(_subject(candidates(session, program, options), options), best)
    return replace(options, backend=best)


def _chosen(rated: Mapping[str, float], default: str) -> tuple[str, str]:
    """The backend to use, and why: the fastest one if it is clearly faster than the default.

    >>> _chosen({"onnxruntime": 100.0, "tensorflow": 106.0}, "onnxruntime")
    ('onnxruntime', 'no other one is at least 1.1 times as fast')
    """
    best = max(rated, key=lambda name: rated[name])
    ratio = rated[best] / rated[default]
    if best == default or ratio < _CLEARLY:
        return default, f"no other one is at least {_CLEARLY:g} times as fast"
    return best, f"the fastest, {ratio:.2f} times the speed of {default}"


def planned(session: Session, program: Entry, options: RunOptions) -> tuple[RunOptions, str]:
    """The options of a run that is only planned, with the kept or the default backend, and a note."""
    found = candidates(session, program, options)
    backend = kept_backend(found, options)
    if backend:
        return replace(options, backend=backend), f"backend {backend}: chosen by an earlier measurement"
    note = f"the run measures {', '.join(found.plans)} first; this is the plan for {found.default}"
    return replace(options, backend=found.default), note


def _measured(session: Session, program: Entry, options: RunOptions, backend: str) -> Rated:
    shared = {name: getattr(options, name) for name in _SHARED}
    rules = load_round(options.round).scenario(options.scenario)
    short = RunOptions(
        **shared,
        backend=backend,
        scenario="offline" if rules.at_rate else options.scenario,  # its rate bounds the highest target
        mode="both",
        seconds=_SECONDS,
        count=min(options.count or _IMAGES, _IMAGES),
        retune=options.retune,
        trace="no",
    )
    record = execute(session, prepare(session, program, short), tags=(TRIAL,))
    forget([record])
    performance, accuracy = record.results.performance, record.results.accuracy
    rate, text = 0.0, ""
    if performance and performance.samples_per_second:
        rate, text = performance.samples_per_second, f"{performance.samples_per_second:.4g} samples/s"
    elif performance and (latency := performance.latency_ms.get(_TAIL)):
        rate, text = 1e3 / latency, f"{_TAIL} {latency:.4g} ms"
    if not rate or accuracy is None or accuracy.mAP is None:
        raise RunError(f"the measurement of {backend} has no rate or no mAP", hint="name a backend with --backend=")
    progress.say(f"backend {backend}: {text}, mAP {accuracy.mAP:.4f} on {short.count} images")
    return Rated(backend, rate, accuracy.mAP)


def _subject(found: Candidates, options: RunOptions) -> dict[str, object]:
    """The values that have to be the same for a choice to be used again."""
    plans = {
        name: {key: [choice.key, choice.version] for key, choice in plan.choices.items() if key != DATASET}
        for name, plan in found.plans.items()
    }
    first = found.plans[found.default]
    return {
        "machine": same_machine(),
        "program": first.program.digest,
        "dataset": first.choices[DATASET].key,
        "options": subject_options(options),
        "plans": plans,
    }


def _path(subject: Mapping[str, Any]) -> Path:
    return tools_root() / ".cache" / "backends" / f"{of_value(subject)[:32]}.json"


def _keep(subject: Mapping[str, Any], backend: str) -> None:
    """Keep a choice. A disk that cannot be written is only a warning."""
    try:
        write_json(_path(subject), {"subject": subject, "backend": backend})
    except (CKError, OSError) as error:
        progress.warn(f"the choice of the backend is not kept: {error}")

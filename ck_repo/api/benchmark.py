"""Run the benchmark from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ck_repo.actions.program import run_records
from ck_repo.actions.request import Target
from ck_repo.api.experiment import Experiment
from ck_repo.api.progress import Callback, shown
from ck_repo.cli.dispatch import request_for
from ck_repo.cli.words import target
from ck_repo.network import scope

Scenario = Literal["singlestream", "multistream", "server", "offline"]
Mode = Literal["accuracy", "performance", "both"]
Device = Literal["cpu", "cuda"]


def run(
    program: str = "object-detection",
    *,
    model: str = "",
    dataset: str = "",
    backend: str = "",
    device: Device = "cpu",
    visible_devices: str = "",
    round: str = "v1.0",
    scenario: Scenario = "offline",
    mode: Mode = "both",
    seconds: float | None = None,
    count: int | None = None,
    target_qps: float | None = None,
    target_latency: float | None = None,
    samples_per_query: int | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
    sessions: int | None = None,
    official: bool = False,
    counts: Literal["held", "loadgen"] = "held",
    compliance: str = "",
    user_conf: str | Path = "",
    meter: str = "",
    reference_faults: bool = False,
    venv: str = "",
    record: str = "",
    repository: str = "",
    tags: Sequence[str] = (),
    dependency_tags: Mapping[str, str] | None = None,
    trust: bool = False,
    offline: bool = False,
    progress: bool | Callback | None = None,
) -> Experiment:
    """Install what the benchmark needs, run it, record it: ``ck run program:…`` as a function.

    Parameters
    ----------
    program
        The program's name, or ``repository:program:name``.
    model, dataset
        Alias or tags; the embedded demo model, and the data set made for the model, if empty.
    backend
        The framework; the model's own if empty.
    device, scenario, mode
        Where it runs, LoadGen's scenario, and which tests.
    round
        The round whose rules count.
    visible_devices
        GPUs that the run may use, as CUDA_VISIBLE_DEVICES has them; all if empty.
    seconds
        Minimum duration of the performance test in s; 10 if None (``--time`` of the command line).
    count
        How many images to use, from the first; all if None.
    target_qps
        Queries/s (server) or samples/s (offline).
    target_latency
        Latency bound in ms.
    samples_per_query
        Of multistream.
    batch_size, threads, sessions
        Maximum images in a batch, threads of a session, and sessions side by side; measured if None.
    official
        Use the durations and counts of the round's rules.
    counts
        Of an official run, what holds the minimum query count: v1.0's order of samples or LoadGen's setting.
    compliance
        A compliance test, ``TEST01`` for example: the performance run under its settings.
    user_conf
        A file in v1.0's syntax that holds targets.
    meter
        A command to run around the benchmark, to read a power meter.
    reference_faults
        Keep known faults of the v1.0 reference, to compare with its logs.
    venv
        The venv to use; the active one, else ``mlperf-inference``, if empty.
    record, repository, tags
        Name of the experiment (its UID if empty), the repository to record in (``local`` if empty), further tags.
    dependency_tags
        Further tags of a dependency of the program, by its key: ``{"weights": "ssd-mobilenet"}``.
    trust
        Let programs of other repositories' recipes run.
    offline
        Do without the network.
    progress
        None shows progress in a notebook or on stderr, False shows nothing, a function is called with each `Progress`.

    Returns
    -------
    Experiment

    Raises
    ------
    CKError
        One of its family: `UsageError` for a value that makes no sense, `RunError` if the benchmark failed, and so on. The
        message says what failed, why, and what to do.
    """
    options = {
        "model": model, "dataset": dataset, "backend": backend, "device": device,
        "visible_devices": visible_devices, "round": round, "scenario": scenario, "mode": mode,
        "time": seconds, "count": count, "target_qps": target_qps, "target_latency": target_latency,
        "samples_per_query": samples_per_query, "batch_size": batch_size, "threads": threads, "sessions": sessions,
        "official": official, "counts": counts, "compliance": compliance, "user_conf": str(user_conf), "meter": meter,
        "reference_faults": reference_faults, "venv": venv, "record": record, "record_repo": repository,
        "tags": ",".join(tags), "dep_add_tags": dict(dependency_tags or {}), "trust": trust,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value not in (None, "", {})}
    named = target(program)
    request = request_for("run", Target("program", named.entry or named.module, named.repository), given)
    with shown(progress), scope(offline=offline):
        return Experiment.read(run_records(request)[0].experiment)

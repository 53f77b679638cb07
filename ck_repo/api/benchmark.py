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
from ck_repo.run.options import RUN_OPTIONS

# docs/make_api.py writes the run options into the signature and the docstring of `run`


def run(
    program: str = "object-detection",
    *,
    model: str = "",
    dataset: str = "",
    backend: str = "",
    backend_options: Mapping[str, str] | None = None,
    calibration: str | Path = "",
    device: Literal["cpu", "cuda"] = "cpu",
    visible_devices: str = "",
    scenario: Literal["singlestream", "multistream", "server", "offline"] = "offline",
    round: Literal["v0.5", "v0.7", "v1.0", "v1.1", "v2.0"] = "v1.0",
    mode: Literal["accuracy", "performance", "both"] = "both",
    seconds: float | None = None,
    count: int | None = None,
    target_qps: float | None = None,
    target_latency: float | None = None,
    samples_per_query: int | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
    sessions: int | None = None,
    processes: int | None = None,
    retune: bool = False,
    official: bool = False,
    counts: Literal["held", "loadgen"] = "held",
    user_conf: str | Path = "",
    meter: str = "",
    compliance: str = "",
    reference_faults: bool = False,
    trace: Literal["auto", "yes", "no"] = "auto",
    profile: bool = False,
    scorer: Literal["auto", "pycocotools", "faster-coco-eval"] = "auto",
    venv: str = "",
    dependency_tags: Mapping[str, str] | None = None,
    record: str = "",
    repository: str = "",
    tags: Sequence[str] = (),
    tuned: bool = False,
    trust: bool = False,
    offline: bool = False,
    progress: bool | Callback | None = None,
) -> Experiment:
    """Install the dependencies of a benchmark, run it, and record the results, like ``ck run program:…``.

    Parameters
    ----------
    program
        The program's name, or ``repository:program:name``.
    model
        Alias or tags of the model (default: the embedded demo model).
    dataset
        Alias or tags of the data set (default: that of the model).
    backend
        The framework (default: that of the model); ``auto``: the fastest of those with the same accuracy.
    backend_options
        Options of the backend, as --backend.KEY=VALUE: see docs/tune.md.
    calibration
        Images for calibrating 8-bit arithmetic: the first N of the data set (default 32), a folder, or a file of names.
    device
        The device to run on (default cpu).
    visible_devices
        GPUs for the run, as in CUDA_VISIBLE_DEVICES (default all).
    scenario
        LoadGen's scenario (default offline).
    round
        The round whose rules apply (default v1.0).
    mode
        The tests to run (default both).
    seconds
        Minimum duration of the performance test, in s (default 10); ``--time`` on the command line.
    count
        Number of images, from the first (default all).
    target_qps
        Target in queries/s (server) or samples/s (offline).
    target_latency
        Latency bound, in ms.
    samples_per_query
        Samples of a query, for multistream.
    batch_size
        Maximum batch size (default: measured).
    threads
        Threads of a session (default: measured).
    sessions
        Number of parallel sessions (default: measured).
    processes
        Number of processes that the sessions are distributed over (default: by the measured rate).
    retune
        Measure sessions, threads and batch size again instead of using the cached result.
    official
        The durations and counts of the round's rules: 600 s in v1.0.
    counts
        For official runs, how the minimum query count is ensured: ``held`` by the duration, ``loadgen`` by LoadGen's setting.
    user_conf
        Read targets from this file, in v1.0's syntax (``ck find performance`` writes one).
    meter
        A command to run during the benchmark, in its run folder, for example to read a power meter.
    compliance
        Run a compliance test: a performance run with special settings.
    reference_faults
        Reproduce known errors of the v1.0 reference, for comparison with its logs.
    trace
        Record the time of every sample for reports; ``yes`` also keeps LoadGen's trace (default: if not official or long).
    profile
        Measure the time of a sample by stage: queue, batch, framework, packing, LoadGen.
    scorer
        The scorer of mAP: faster-coco-eval is the faster one (default: if it is installed and the run is not official).
    venv
        The venv to use (default: the active one, else mlperf-inference).
    dependency_tags
        Additional tags for a dependency of the program: weights, dataset, loadgen …; ``--dep_add_tags`` on the command line.
    record, repository, tags
        Name of the experiment (its UID if empty), the repository to record in (``local`` if empty), additional tags.
    tuned
        Use the settings that ``ck tune`` found on this machine; explicit arguments take precedence.
    trust
        Allow programs of other repositories' recipes to run.
    offline
        Do not use the network.
    progress
        None shows progress in a notebook or on stderr, False shows nothing, a function is called with each `Progress`.

    Returns
    -------
    Experiment

    Raises
    ------
    CKError
        One of its subclasses: `UsageError` for an invalid value, `RunError` if the benchmark failed, and so on. The message
        says what failed, why, and what to do.
    """
    asked = locals()
    options: dict[str, object] = {option.key: asked[option.keyword] for option in RUN_OPTIONS}
    options |= {"record": record, "record_repo": repository, "tags": ",".join(tags), "tuned": tuned, "trust": trust}
    given = {name: _plain(value) for name, value in options.items() if value not in (None, "", {})}
    named = target(program)
    request = request_for("run", Target("program", named.entry or named.module, named.repository), given)
    with shown(progress), scope(offline=offline):
        return Experiment.read(run_records(request)[0].experiment)


def _plain(value: object) -> object:
    """A value in the form of the command line."""
    if isinstance(value, Path):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value

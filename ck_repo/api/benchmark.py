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
    """Install what the benchmark needs, run it, record it: ``ck run program:…`` as a function.

    Parameters
    ----------
    program
        The program's name, or ``repository:program:name``.
    model
        Alias or tags of the model (default: the embedded demo model).
    dataset
        Alias or tags of the data set (default: the one made for the model).
    backend
        The framework (default: the model's own).
    backend_options
        Options of the backend, in short --backend.KEY=VALUE: docs/tune.md lists them.
    device
        Where it runs (default cpu).
    visible_devices
        GPUs that the run may use, as CUDA_VISIBLE_DEVICES has them (default all).
    scenario
        LoadGen's scenario (default offline).
    round
        The round whose rules count (default v1.0).
    mode
        Which tests (default both).
    seconds
        Least duration of the performance test, in s (default 10); ``--time`` on the command line.
    count
        Images to use, from the first (default all).
    target_qps
        Queries/s (server) or samples/s (offline).
    target_latency
        Latency bound, in ms.
    samples_per_query
        Of multistream.
    batch_size
        Most images a batch (default: measured).
    threads
        Threads of a session (default: measured).
    sessions
        Sessions side by side (default: measured).
    retune
        Measure sessions, threads and batch again, though an earlier run on this machine did.
    official
        The durations and counts of the round's rules: 600 s in v1.0.
    counts
        Of an official run, who holds the least query count: ``held`` keeps v1.0's order of samples, ``loadgen`` its setting.
    user_conf
        Take targets from this file, in v1.0's syntax (``ck find performance`` writes one).
    meter
        A command to run around the benchmark, in its run folder: to read a power meter.
    compliance
        Run a compliance test: the performance run under its settings.
    reference_faults
        Keep known faults of the v1.0 reference, to compare with its logs.
    trace
        Record the time of every sample for reports; ``yes`` keeps LoadGen's trace, too (default: if not official or long).
    profile
        Measure where the time of a sample goes: queue, batch, framework, packing, LoadGen.
    scorer
        What computes mAP: faster-coco-eval has pycocotools' figures sooner (default: it, if installed and not official).
    venv
        The venv to use (default: the active one, else mlperf-inference).
    dependency_tags
        Further tags for a dependency of the program: weights, dataset, loadgen …; ``--dep_add_tags`` on the command line.
    record, repository, tags
        Name of the experiment (its UID if empty), the repository to record in (``local`` if empty), further tags.
    tuned
        With the settings that ``ck tune`` found on this machine; what is given stays.
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
    asked = locals()
    options: dict[str, object] = {option.key: asked[option.keyword] for option in RUN_OPTIONS}
    options |= {"record": record, "record_repo": repository, "tags": ",".join(tags), "tuned": tuned, "trust": trust}
    given = {name: _plain(value) for name, value in options.items() if value not in (None, "", {})}
    named = target(program)
    request = request_for("run", Target("program", named.entry or named.module, named.repository), given)
    with shown(progress), scope(offline=offline):
        return Experiment.read(run_records(request)[0].experiment)


def _plain(value: object) -> object:
    """A value as the command line would have it."""
    if isinstance(value, Path):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value

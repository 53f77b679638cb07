"""Run LoadGen: every setting is set by field, never from a file, in a separate folder.

`FromConfig` of current LoadGen versions loads another round's rules and ignores seeds in a file, and an `audit.config` in the
working directory would be used. Settings are therefore fields, and each run has its own folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import mlperf_loadgen as lg

from object_detection import loadgen_module
from object_detection.contract.logs import DETAIL, SUMMARY
from object_detection.errors import HarnessError
from object_detection.logs import ANSWERS
from object_detection.progress import say, watched
from object_detection.spec import LoadGenSettings
from object_detection.sut.library import Library

SCENARIOS = {
    "singlestream": lg.TestScenario.SingleStream,
    "multistream": lg.TestScenario.MultiStream,
    "server": lg.TestScenario.Server,
    "offline": lg.TestScenario.Offline,
}
_MODES = {"accuracy": lg.TestMode.AccuracyOnly, "performance": lg.TestMode.PerformanceOnly}
SAMPLING = "accuracy_log_sampling_target"
_SPEED_SLACK = 1.5  # factor by which a run of SingleStream or MultiStream may be faster than the measurement
_COUNT_SLACK = 1.1  # factor by which a run may be slower than the measurement and still reach the minimum count
_SERVER_SHARE = 0.25  # share of the measured rate without a target: queries at random need reserve
# rate of an accuracy run, in which latency is not measured: queries are issued as fast as they are answered
_ACCURACY_QPS = 1e4
_LONG = 900  # s; maximum for runs that take longer than the rules' 600 s to issue the required queries
_OFFLINE_SLACK = 1.15  # in addition to LoadGen's own 1.1: a run that is faster than the measurement still lasts long enough


class SUT(Protocol):
    """The interface that LoadGen calls."""

    def issue(self, samples: list[lg.QuerySample]) -> None: ...

    def flush(self) -> None: ...

    @property
    def done(self) -> int: ...


def settings_for(scenario: str, mode: str, wanted: LoadGenSettings, rate: float) -> lg.TestSettings:
    """LoadGen's settings for a scenario.

    Parameters
    ----------
    rate
        The measured rate of the system in samples/s, which determines the length of an Offline run.
    """
    settings = lg.TestSettings()
    settings.scenario = SCENARIOS[scenario]
    settings.mode = _MODES[mode]
    settings.qsl_rng_seed = wanted.qsl_rng_seed
    settings.sample_index_rng_seed = wanted.sample_index_rng_seed
    settings.schedule_rng_seed = wanted.schedule_rng_seed
    settings.performance_sample_count_override = wanted.performance_sample_count
    settings.min_duration_ms = wanted.min_duration_ms
    settings.min_query_count = wanted.min_query_count
    held = mode == "performance" and not wanted.min_query_count
    if held and scenario in ("singlestream", "multistream"):  # the minimum count of the rules is reached by the duration
        needed_s = wanted.required_query_count * wanted.samples_per_query / rate * _COUNT_SLACK
        settings.min_duration_ms = max(wanted.min_duration_ms, int(needed_s * 1e3))
    latency_ns = int((wanted.target_latency_ms or 0) * 1e6)
    if scenario == "singlestream":
        settings.single_stream_expected_latency_ns = expected_latency_ns(latency_ns, rate)
        settings.single_stream_target_latency_percentile = wanted.percentile
    elif scenario == "multistream":
        settings.multi_stream_samples_per_query = wanted.samples_per_query
        settings.multi_stream_target_latency_percentile = wanted.percentile
        if loadgen_module.OF_V1_0:
            settings.multi_stream_target_qps = _ACCURACY_QPS if mode == "accuracy" else wanted.target_qps
            settings.multi_stream_target_latency_ns = latency_ns
            settings.multi_stream_max_async_queries = wanted.max_async_queries
        else:
            settings.multi_stream_expected_latency_ns = expected_latency_ns(latency_ns, rate / wanted.samples_per_query)
    elif scenario == "server":
        settings.server_target_qps = _ACCURACY_QPS if mode == "accuracy" else server_rate(wanted, rate)
        settings.server_target_latency_ns = latency_ns
        settings.server_target_latency_percentile = wanted.percentile
    else:
        settings.offline_expected_qps = offline_rate(wanted, rate)
    if mode == "performance":
        _audit(settings, scenario, wanted, rate)
    return settings


def _audit(settings: lg.TestSettings, scenario: str, wanted: LoadGenSettings, rate: float) -> None:
    """Apply the settings of a compliance test. LoadGen has no field for the number of logged answers, only for the share."""
    for name, value in wanted.audit.items():
        if name == SAMPLING and loadgen_module.OF_V1_0:
            continue  # it is in audit.config
        if name == SAMPLING:
            settings.accuracy_log_probability = min(1.0, value / expected_samples(settings, scenario, wanted, rate))
        else:
            setattr(settings, name, value)


def _write_audit_config(folder: Path, wanted: LoadGenSettings) -> None:
    """Write audit.config for LoadGen of v1.0, which reads it and mentions it in its detail log, as reviewers expect.

    Later versions would load another round's rules with it.
    """
    rows = [f"*.*.{name} = {int(value)}" for name, value in wanted.audit.items()]
    (folder / "audit.config").write_text("\n".join(rows) + "\n", encoding="utf-8")


def expected_samples(settings: lg.TestSettings, scenario: str, wanted: LoadGenSettings, rate: float) -> float:
    """The number of samples that a performance run will issue, from its settings and the measured rate.

    Parameters
    ----------
    wanted
        The settings in spec.json.
    rate
        Samples/s.
    """
    seconds = float(settings.min_duration_ms) / 1e3
    if scenario == "offline":
        return max(1.1 * float(settings.offline_expected_qps) * seconds, wanted.min_query_count, 1.0)
    each = wanted.samples_per_query if scenario == "multistream" else 1
    queries_per_second = rate / each
    if scenario == "server":
        queries_per_second = settings.server_target_qps
    elif scenario == "multistream" and loadgen_module.OF_V1_0:
        queries_per_second = settings.multi_stream_target_qps
    return each * max(float(queries_per_second) * seconds, wanted.min_query_count, 1.0)


def expected_latency_ns(target_ns: int, rate: float) -> int:
    """The latency, in ns, from which LoadGen derives the number of queries that it prepares for SingleStream and MultiStream.

    It stops at the minimum duration, but if the queries run out before, the run is INVALID; a system that is faster than its
    target therefore needs more. The latency has no other effect in these two scenarios.

    Parameters
    ----------
    target_ns
        The target latency of the settings, ns; 0 without one.
    rate
        The measured rate, queries/s.
    """
    measured = int(1e9 / rate / _SPEED_SLACK)
    return max(1, min(target_ns or measured, measured))


def offline_rate(wanted: LoadGenSettings, rate: float) -> float:
    """The rate from which LoadGen derives the number of samples of an Offline run.

    A target below the system's speed would end the run before its minimum duration and make it INVALID, so the measured rate is
    used if it is higher.

    Parameters
    ----------
    rate
        The measured rate, samples/s.

    Returns
    -------
    float
        Samples/s.
    """
    return max(wanted.target_qps or 0.0, rate * _OFFLINE_SLACK)


def server_rate(wanted: LoadGenSettings, rate: float) -> float:
    """The queries/s of a performance run of Server: the target, else a share of the measured rate, samples/s."""
    return wanted.target_qps or rate * _SERVER_SHARE


def run(
    scenario: str,
    mode: str,
    settings: lg.TestSettings,
    wanted: LoadGenSettings,
    sut: SUT,
    library: Library,
    count: int,
    folder: Path,
    *,
    trace: bool = False,
) -> None:
    """Run a test; LoadGen writes its logs into a folder.

    Parameters
    ----------
    mode
        ``accuracy`` or ``performance``.
    settings, wanted
        LoadGen's settings, and those in spec.json.
    sut, library
        Answer queries, and load samples.
    count
        Number of samples in the data set.
    folder
        For the logs; created if it is missing.
    trace
        Whether to write the trace of every sample.

    Raises
    ------
    HarnessError
        If LoadGen did not write one of its logs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = lg.LogOutputSettings()
    output.outdir = str(folder)
    output.copy_summary_to_stdout = False
    logs = lg.LogSettings()
    logs.log_output = output
    logs.enable_trace = trace
    system = loadgen_module.construct_sut(sut.issue, sut.flush)
    if settings.performance_issue_unique:  # LoadGen would read past the end of a smaller set
        settings.performance_sample_count_override = min(count, settings.performance_sample_count_override)
    samples = lg.ConstructQSL(count, min(count, wanted.performance_sample_count), library.load, library.unload)
    title, total, unit, done = _progress(scenario, mode, settings, wanted, sut, count)
    if unit == "s" and total > _LONG:
        say(f"{title}: it will not end before {time.strftime('%H:%M', time.localtime(time.time() + total))}")
    if loadgen_module.OF_V1_0 and mode == "performance" and wanted.audit:
        _write_audit_config(folder, wanted)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with watched(title, total, unit, done, _estimate(scenario, sut)):
            lg.StartTestWithLogSettings(system, samples, settings, logs)
    finally:
        os.chdir(before)
        lg.DestroyQSL(samples)
        lg.DestroySUT(system)
    for name in (SUMMARY, DETAIL, ANSWERS):
        if not (folder / name).is_file():
            raise HarnessError(f"LoadGen wrote no {name} in {folder}", "check that the disk is not full")


def _estimate(scenario: str, sut: SUT) -> Callable[[], str]:
    """The current speed over all queries; the results are in the logs at the end of the run."""
    began, first, before = 0.0, 0, sut.done

    def now() -> str:
        nonlocal began, first
        moment, answered = time.monotonic(), sut.done
        if not began or answered == first:  # samples are being loaded, which does not count
            began, first = moment, answered
            return ""
        rate = (answered - first) / (moment - began)
        if scenario == "singlestream":
            return f"{rate:.4g} samples/s, latency {1e3 / rate:.4g} ms"
        waiting = getattr(sut, "samples", 0) - (answered - before)
        if scenario == "offline" or waiting <= 0:
            return f"{rate:.4g} samples/s"
        return (
            # Little's law: pending queries divided by the rate
            f"{rate:.4g} samples/s, latency about {1e3 * waiting / rate:.0f} ms"
        )

    return now


def _progress(
    scenario: str, mode: str, settings: lg.TestSettings, wanted: LoadGenSettings, sut: SUT, count: int
) -> tuple[str, float, str, Callable[[], float]]:
    """Title, total, unit and current state of a run's progress: samples if their number is known, else seconds."""
    began, first = time.monotonic(), sut.done
    if mode == "accuracy":
        return f"accuracy, {scenario}", count, "images", lambda: sut.done - first
    if scenario == "offline":
        total = max(1.1 * settings.offline_expected_qps * wanted.min_duration_ms / 1e3, wanted.min_query_count)
        return "performance, offline", total, "samples", lambda: sut.done - first
    seconds = settings.min_duration_ms / 1e3
    if scenario == "multistream" and loadgen_module.OF_V1_0:
        seconds = max(seconds, settings.min_query_count / settings.multi_stream_target_qps)
    return f"performance, {scenario}", seconds, "s", lambda: time.monotonic() - began

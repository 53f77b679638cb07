"""Checks before an official run, so that it does not turn out to be invalid after hours."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from ck_repo import progress
from ck_repo.contract.spec import Spec
from ck_repo.errors import CKError, RunError, UsageError
from ck_repo.install.installer import content_of
from ck_repo.machine.data_set import COCO, Wanted, read_data_set
from ck_repo.machine.platform import describe_platform
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.scenario import ONE_QUERY, RATE
from ck_repo.run.options import RUN_OPTIONS, RunOptions
from ck_repo.store.installed import Installed

_LOG_BYTES = 200 << 20  # bytes for a run: an accuracy log of 5000 images and a detail log, with reserve
_HALF_A_DAY = 12 * 3600  # s
_FULL = 5000  # images of COCO val2017
_FREE_SIDE = 640  # pixels of images that keep their size: like COCO's
_SESSION = 1 << 30  # bytes for a session in addition to the images; a conservative guess


def check_options(options: RunOptions, rules: Rules) -> None:
    """Refuse options that the rules do not allow, before anything is installed.

    Raises
    ------
    UsageError
        With the requirements of the rules.
    """
    if rules.round.import_only:
        raise UsageError(
            f"round {rules.round} is only supported for imported results",
            hint="--round=v0.7 is the earliest round with rules for runs",
        )
    row = rules.scenario(options.scenario)
    tests = rules.round.submission.tests
    if options.compliance and options.compliance not in tests:
        raise UsageError(f"{options.compliance} is not a test of round {rules.round}", hint=f"its tests are {', '.join(tests)}")
    if options.compliance and row.name in tests[options.compliance].not_for:
        raise UsageError(f"{options.compliance} is not for {options.scenario}", hint="the rules exclude it for this scenario")
    if options.compliance and options.mode == "accuracy":
        raise UsageError(f"{options.compliance} is a performance run", hint="omit --mode=accuracy")
    if (options.processes or 1) > 1 and row.issue not in (RATE, ONE_QUERY):
        raise UsageError(
            f"--processes={options.processes} is for offline and server: in {options.scenario} few samples are in flight at "
            "once, and another process would only add latency",
            hint="omit --processes=",
        )
    if not options.official:
        return
    for option in RUN_OPTIONS:
        if isinstance(option.official, str) and getattr(options, option.name) != option.default:
            raise UsageError(option.official, hint=f"omit --{option.option}=")
    if "performance" not in options.modes:
        return
    for option in RUN_OPTIONS:
        if callable(option.official):
            option.official(options, row)


def check_official(
    options: RunOptions, rules: Rules, spec: Spec, installed: Mapping[str, Installed], folder: Path
) -> list[str]:
    """Check data set, model, disk, memory and governor, and print when the run will end.

    Returns
    -------
    list
        Warnings: the run is valid, but not suitable for the closed division.

    Raises
    ------
    RunError
        If the run would be invalid, or would fail.
    """
    warnings = [*_dataset(spec), *_model(installed["weights"]), *_machine(options, rules, spec, folder)]
    for text in warnings:
        progress.say(f"note: {text}")
    progress.say(_when(options, rules, spec))
    return warnings


def _dataset(spec: Spec) -> list[str]:
    """Check that every annotated image exists."""
    part = spec.dataset
    if part.preprocessed:
        count = len(json.loads(part.annotations.read_text(encoding="utf-8"))["images"])  # written by ck
    else:
        try:
            found = read_data_set(Wanted(COCO, str(part.images), str(part.annotations), inside=part.inside))
        except CKError as error:
            raise RunError(error.what, hint="install or register the data set again") from error
        count = found.count
    if count < _FULL:
        return [f"the data set has {count} images; the closed division requires the {_FULL} of COCO val2017"]
    return []


def _model(env: Installed) -> list[str]:
    """Check that the model's file is unchanged."""
    if not env.is_registered and Path(env.file).is_file() and content_of(env) != env.digest:
        name = env.component.alias if env.component else ""
        raise RunError(
            f"{env.file} differs from what was installed", hint=f"`ck install package:{name} --reinstall` installs it again"
        )
    if env.is_registered or (env.model or {}).get("row") is None:
        return [f"{env.name} is not one of the round's models: the result belongs to the open division"]
    return []


def _machine(options: RunOptions, rules: Rules, spec: Spec, folder: Path) -> list[str]:
    free = shutil.disk_usage(folder).free
    if free < _LOG_BYTES:
        raise RunError(
            f"{folder} has {free / 1e6:.0f} MB free; a run may write {_LOG_BYTES / 1e6:.0f} MB", hint="free some space"
        )
    machine = describe_platform()
    height, wide = (spec.model.side or spec.model.height or _FREE_SIDE, spec.model.side or spec.model.width or _FREE_SIDE)
    width = 1 if spec.model.dtype == "uint8" else 4
    needed = rules.performance_sample_count * height * wide * 3 * width + _SESSION
    available = _available()
    if available and needed > available:
        raise RunError(
            f"the loaded samples and a session may need {needed / 2**30:.1f} GiB, and {available / 2**30:.1f} GiB are free",
            hint="end other programs, or use a machine with more memory",
        )
    warnings = []
    if machine.governor not in ("performance", "unknown"):
        warnings.append(
            f"the frequency governor is {machine.governor}: `cpupower frequency-set -g performance` makes runs comparable"
        )
    if machine.load and machine.load > 0.5:
        warnings.append(f"the machine is busy: {machine.load} processes were waiting in the last minute")
    return warnings


def _available() -> int:
    """Memory that is available to programs, bytes; 0 if unknown."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _when(options: RunOptions, rules: Rules, spec: Spec) -> str:
    """When the run will end: the rules set the duration of performance runs; the accuracy run shows its progress."""
    settings = spec.loadgen
    seconds = settings.min_duration_ms / 1e3 if "performance" in spec.modes else 0.0
    fixed = rules.scenario(options.scenario).fixed_intervals and spec.loadgen_built
    if seconds and fixed and settings.target_qps:  # one query in each interval, however fast it is
        seconds = max(seconds, settings.min_query_count / settings.target_qps)
    end = time.strftime("%H:%M" if seconds < _HALF_A_DAY else "%Y-%m-%d %H:%M", time.localtime(time.time() + seconds))
    parts = []
    if "accuracy" in spec.modes:
        parts.append("accuracy on every image first")
    if seconds:
        parts.append(f"performance for at least {seconds / 60:.0f} minutes")
    return f"official run, {options.scenario}: {', then '.join(parts)}; it will not end before {end}"

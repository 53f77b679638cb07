"""What is looked at before an official run, so that it does not turn out invalid after hours."""

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
from ck_repo.run.options import RUN_OPTIONS, RunOptions
from ck_repo.store.installed import Installed

_LOG_BYTES = 200 << 20  # of a run: an accuracy log of 5000 images and a detail log, with room
_HALF_A_DAY = 12 * 3600  # s
_FULL = 5000  # images of COCO val2017
_FREE_SIDE = 640  # of images that keep their size: as large as COCO's are
_SESSION = 1 << 30  # bytes that a session may take beside the images; a guess on the safe side


def check_options(options: RunOptions, rules: Rules) -> None:
    """Refuse options that the rules do not allow, before anything is installed.

    Raises
    ------
    UsageError
        With what the rules ask for instead.
    """
    if rules.round.import_only:
        raise UsageError(
            f"round {rules.round} is for imported results alone",
            hint="--round=v0.7 is the earliest round with rules for runs",
        )
    row = rules.scenario(options.scenario)
    tests = rules.round.submission.tests
    if options.compliance and options.compliance not in tests:
        raise UsageError(f"{options.compliance} is no test of round {rules.round}", hint=f"its tests are {', '.join(tests)}")
    if options.compliance and row.name in tests[options.compliance].not_for:
        raise UsageError(f"{options.compliance} is not for {options.scenario}", hint="the rules skip it there")
    if options.compliance and options.mode == "accuracy":
        raise UsageError(f"{options.compliance} is a performance run", hint="leave out --mode=accuracy")
    if not options.official:
        return
    for option in RUN_OPTIONS:
        if isinstance(option.official, str) and getattr(options, option.name) != option.default:
            raise UsageError(option.official, hint=f"leave out --{option.option}=")
    if "performance" not in options.modes:
        return
    for option in RUN_OPTIONS:
        if callable(option.official):
            option.official(options, row)


def check_official(
    options: RunOptions, rules: Rules, spec: Spec, installed: Mapping[str, Installed], folder: Path
) -> list[str]:
    """Look at data set, model, disk, memory and governor, and say when the run will end.

    Returns
    -------
    list
        Warnings: what does not make the run invalid, but a submission of the closed division.

    Raises
    ------
    RunError
        If the run would be invalid, or could not end well.
    """
    warnings = [*_dataset(spec), *_model(installed["weights"]), *_machine(options, rules, spec, folder)]
    for text in warnings:
        progress.say(f"note: {text}")
    progress.say(_when(options, rules, spec))
    return warnings


def _dataset(spec: Spec) -> list[str]:
    """Every image that the annotations name is there."""
    part = spec.dataset
    if part.preprocessed:
        count = len(json.loads(part.annotations.read_text(encoding="utf-8"))["images"])  # which we wrote
    else:
        try:
            found = read_data_set(Wanted(COCO, str(part.images), str(part.annotations), inside=part.inside))
        except CKError as error:
            raise RunError(error.what, hint="install or register the data set again") from error
        count = found["count"]
    if count < _FULL:
        return [f"the data set has {count} images; the closed division asks for the {_FULL} of COCO val2017"]
    return []


def _model(env: Installed) -> list[str]:
    """The model's file is still what was installed or registered."""
    if not env.is_registered and Path(env.file).is_file() and content_of(env) != env.digest:
        name = env.component.alias if env.component else ""
        raise RunError(
            f"{env.file} is no longer what was installed", hint=f"`ck install package:{name} --reinstall` installs it again"
        )
    if env.is_registered or (env.model or {}).get("row") is None:
        return [f"{env.name} is not one of the round's models: the result is for the open division"]
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
            f"the loaded samples and a session may take {needed / 2**30:.1f} GiB, and {available / 2**30:.1f} GiB are free",
            hint="end other programs, or take a machine with more memory",
        )
    warnings = []
    if machine.governor not in ("performance", "unknown"):
        warnings.append(
            f"the frequency governor is {machine.governor}: `cpupower frequency-set -g performance` makes runs alike"
        )
    if machine.load and machine.load > 0.5:
        warnings.append(f"the machine is busy: {machine.load} processes were waiting in the last minute")
    return warnings


def _available() -> int:
    """Memory that programs may still take, bytes; 0 if the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _when(options: RunOptions, rules: Rules, spec: Spec) -> str:
    """When the run will end: the rules' durations are known, that of the accuracy run follows from the progress shown."""
    settings = spec.loadgen
    seconds = settings.min_duration_ms / 1e3 if "performance" in spec.modes else 0.0
    fixed = rules.scenario(options.scenario).fixed_intervals and spec.loadgen_built
    if seconds and fixed and settings.target_qps:  # a query each interval, however fast it is
        seconds = max(seconds, settings.min_query_count / settings.target_qps)
    end = time.strftime("%H:%M" if seconds < _HALF_A_DAY else "%Y-%m-%d %H:%M", time.localtime(time.time() + seconds))
    parts = []
    if "accuracy" in spec.modes:
        parts.append("accuracy over every image first")
    if seconds:
        parts.append(f"performance for at least {seconds / 60:.0f} minutes")
    return f"official run, {options.scenario}: {', then '.join(parts)}; it ends not before {end}"

"""The options of a run, by their present names or by CK's older ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ck_repo.errors import NotFoundError, UsageError, did_you_mean
from ck_repo.mlperf.submission_rules import submission_rules

SCENARIOS = ("singlestream", "multistream", "server", "offline")
MODES = ("accuracy", "performance", "both")
DEVICES = ("cpu", "cuda")
COMPLIANCE = tuple(submission_rules().tests)
DEFAULT_SECONDS = 10.0
_USUAL = ("counts", "held")
# what a run may ask for, whoever asks: the command line, a recorded experiment, a program
_BOUNDS = {
    "seconds": ("number", 30 * 86400.0),
    "count": ("integer", 10**9),
    "target_qps": ("number", 1e9),
    "target_latency": ("number", 1e9),
    "samples_per_query": ("integer", 10**6),
    "batch_size": ("integer", 10**5),
    "threads": ("integer", 4096),
    "sessions": ("integer", 4096),
}


@dataclass(frozen=True)
class RunOptions:
    """What the user asks of a run; None leaves a choice to us.

    Attributes
    ----------
    model, dataset
        Alias or tags.
    seconds
        Least duration of a performance run, s.
    count
        Images, from the first.
    target_qps
        Queries/s (Server) or samples/s (Offline).
    target_latency
        Bound, ms.
    compliance
        The compliance test to run: ``TEST01`` and so on; empty for none.
    counts
        Who holds the rules' least query count of an official run: ``held`` (the run's duration and a check afterwards, so that
        the order of samples is that of v1.0) or ``loadgen`` (its own setting, as the round's checker looks for it).
    user_conf
        A file in v1.0's syntax, from which targets are taken.
    meter
        A command to run around the benchmark.
    reference_faults
        Whether known faults of the reference harness are kept, for comparison with its logs.
    added_tags
        Further tags for dependencies of the program, by their key.
    """

    model: str = ""
    dataset: str = ""
    backend: str = ""
    device: str = "cpu"
    scenario: str = "offline"
    mode: str = "both"
    seconds: float | None = None
    count: int | None = None
    target_qps: float | None = None
    target_latency: float | None = None
    samples_per_query: int | None = None
    batch_size: int | None = None
    threads: int | None = None
    sessions: int | None = None
    official: bool = False
    compliance: str = ""
    counts: str = "held"
    user_conf: str = ""
    meter: str = ""
    reference_faults: bool = False
    venv: str = ""
    added_tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (kind, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int if kind == "integer" else int | float):
                raise UsageError(f"{name} is {value!r}, not {'an integer' if kind == 'integer' else 'a number'}")
            if not 0 < value <= most:  # false for NaN, too
                raise UsageError(f"{name} is {value!r}; it has to be more than 0 and at most {most:g}")

    @property
    def modes(self) -> tuple[str, ...]:
        """The tests to run, accuracy first: a wrong answer is told before the longer test begins.

        A compliance test is a performance run under other settings.
        """
        if self.compliance:
            return ("performance",)
        return ("accuracy", "performance") if self.mode == "both" else (self.mode,)

    def as_data(self) -> dict[str, Any]:
        """What was asked for, without what was left open."""
        return {key: value for key, value in vars(self).items() if value not in (None, "", {}) and (key, value) != _USUAL}


def command_of(options: RunOptions, *, program: str = "object-detection", mode: str = "run") -> str:
    """The command that a person types for these options; what is as usual is left out.

    >>> command_of(RunOptions(scenario="server", target_qps=50.0))
    'ck run program:object-detection --scenario=server --target-qps=50'
    """
    usual, words = RunOptions(), []
    for key, value in options.as_data().items():
        if value == getattr(usual, key):
            continue
        if key == "added_tags":
            words += [f"--dep_add_tags.{name}={shlex.quote(tags)}" for name, tags in value.items()]
            continue
        name = "--" + {"seconds": "time"}.get(key, key).replace("_", "-")
        text = f"{value:.12g}" if isinstance(value, float) else str(value)
        words.append(name if value is True else f"{name}={shlex.quote(text)}")
    return " ".join([f"ck {mode} program:{program}", *words])


def from_cmd_key(cmd_key: str) -> dict[str, Any]:
    """CK's ``--cmd_key=accuracy-offline``."""
    mode, _, scenario = cmd_key.partition("-")
    known = [f"{mode}-{scenario}" for mode in MODES[:2] for scenario in SCENARIOS]
    if cmd_key not in known:
        raise NotFoundError(f"there is no cmd_key {cmd_key!r}", hint=did_you_mean(cmd_key, known))
    return {"mode": mode, "scenario": scenario}


_WORDS_OF_CK = ("CK_LOADGEN_SCENARIO", "CK_LOADGEN_MODE", "CK_MLPERF_COMPLIANCE_TEST", "EXTRA_OPS")
_MODES_OF_CK = {"AccuracyOnly": "accuracy", "PerformanceOnly": "performance", "SubmissionRun": "both"}
_NUMBERS_OF_CK = {
    "CK_LOADGEN_DATASET_SIZE": ("count", int),
    "CK_LOADGEN_TARGET_QPS": ("target_qps", float),
    "CK_LOADGEN_TARGET_LATENCY": ("target_latency", float),
    "CK_LOADGEN_SAMPLES_PER_QUERY": ("samples_per_query", int),
    "CK_BATCH_SIZE": ("batch_size", int),
}
# the reference harness's own options, as EXTRA_OPS carries them: name -> (option, type, factor)
_EXTRA_OPS = {
    "--time": ("seconds", float, 1.0),
    "--count": ("count", int, 1),
    "--qps": ("target_qps", float, 1.0),
    "--max-latency": ("target_latency", float, 1000.0),  # given in s
    "--samples-per-query": ("samples_per_query", int, 1),
    "--max-batchsize": ("batch_size", int, 1),
    "--threads": ("threads", int, 1),
}


def from_environment(env: Mapping[str, Any]) -> dict[str, Any]:
    """CK's ``--env.NAME=value``: what the public pages use is understood, anything else is an error."""
    values: dict[str, Any] = {}
    for name, value in env.items():
        if name == "CK_LOADGEN_SCENARIO":
            if str(value).lower() not in SCENARIOS:
                raise UsageError(f"--env.{name}={value} is not a scenario", hint=did_you_mean(str(value).lower(), SCENARIOS))
            values["scenario"] = str(value).lower()
        elif name == "CK_LOADGEN_MODE":
            if value not in _MODES_OF_CK:
                raise UsageError(f"--env.{name}={value} is not a mode", hint=did_you_mean(str(value), _MODES_OF_CK))
            values["mode"] = _MODES_OF_CK[str(value)]
        elif name == "CK_MLPERF_COMPLIANCE_TEST":
            if value not in COMPLIANCE:
                raise UsageError(f"--env.{name}={value} is no test", hint=did_you_mean(str(value), COMPLIANCE))
            values["compliance"] = str(value)
        elif name in _NUMBERS_OF_CK:
            option, kind = _NUMBERS_OF_CK[name]
            values[option] = _number(f"--env.{name}", value, kind)
        elif name == "EXTRA_OPS":
            values |= from_extra_ops(str(value))
        else:
            raise NotFoundError(
                f"--env.{name} is not understood",
                hint=did_you_mean(name, [*_WORDS_OF_CK, *_NUMBERS_OF_CK]),
            )
    return values


def from_extra_ops(text: str) -> dict[str, Any]:
    """The reference harness's options in ``EXTRA_OPS``.

    >>> from_extra_ops("--time 60 --qps 200 --max-latency 0.1")
    {'seconds': 60.0, 'target_qps': 200.0, 'target_latency': 100.0}
    """
    values: dict[str, Any] = {}
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"EXTRA_OPS: {error}") from None
    words = iter(word for part in parts for word in part.split("=", 1))
    for word in words:
        if word not in _EXTRA_OPS:
            raise NotFoundError(f"EXTRA_OPS: {word} is not understood", hint=did_you_mean(word, _EXTRA_OPS))
        option, kind, factor = _EXTRA_OPS[word]
        values[option] = _number(f"EXTRA_OPS {word}", next(words, ""), kind) * factor
    return values


def _number(name: str, value: Any, kind: type) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name}={value} is not {'a whole number' if kind is int else 'a number'}") from None
    if not 0 < number < float("inf"):
        raise UsageError(f"{name}={value} has to be more than 0")
    return number

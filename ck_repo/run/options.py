"""The options of a run, by their present names or by CK's older ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ck_repo import progress
from ck_repo.errors import NotFoundError, UsageError, did_you_mean
from ck_repo.rounds.round import DEFAULT, load_round, round_names
from ck_repo.run.foreign_variables import VARIABLES_WITHOUT_EFFECT

SCENARIOS = ("singlestream", "multistream", "server", "offline")
MODES = ("accuracy", "performance", "both")
DEVICES = ("cpu", "cuda")
COMPLIANCE = tuple(dict.fromkeys(test for name in round_names() for test in load_round(name).submission.tests))
DEFAULT_SECONDS = 10.0
_USUAL = (("counts", "held"), ("round", DEFAULT))  # not recorded, so that older versions of ck can read it
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
    visible_devices
        GPUs that the run may use, as CUDA_VISIBLE_DEVICES has them; all if empty.
    seconds
        Least duration of a performance run, s.
    count
        Images, from the first.
    round
        The round whose rules count: ``v1.0``.
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
    visible_devices: str = ""
    round: str = DEFAULT
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
        return {key: value for key, value in vars(self).items() if value not in (None, "", {}) and (key, value) not in _USUAL}


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


_WORDS_OF_CK = (
    "CK_LOADGEN_SCENARIO", "CK_SCENARIO", "CK_LOADGEN_MODE", "CK_MLPERF_COMPLIANCE_TEST", "EXTRA_OPS",
    "CK_LOADGEN_EXTRA_PARAMS", "CK_LOADGEN_OPTS", "CK_LOADGEN_BACKEND", "MLPERF_BACKEND", "CK_METRIC_TYPE",
    "CK_BATCH_COUNT", "CUDA_VISIBLE_DEVICES", "CK_LOADGEN_CONF_FILE", "CK_LOADGEN_USER_CONF", "MLPERF_DEVICE",
    "CK_OPENVINO_DEVICE",
)  # fmt: skip
_MODES_OF_CK = {
    "AccuracyOnly": "accuracy", "PerformanceOnly": "performance", "SubmissionRun": "both",
    "Accuracy": "accuracy", "Performance": "performance", "--accuracy": "accuracy",
}  # fmt: skip
_BACKENDS_OF_CK = {"pytorch": "torch", "onnx": "onnxruntime"}
_DEVICES_OF_CK = {"cpu": "cpu", "gpu": "cuda", "cuda": "cuda"}
_NUMBERS_OF_CK = {
    "CK_LOADGEN_DATASET_SIZE": ("count", int),
    "CK_LOADGEN_TARGET_QPS": ("target_qps", float),
    "CK_LOADGEN_TARGET_LATENCY": ("target_latency", float),
    "CK_LOADGEN_SAMPLES_PER_QUERY": ("samples_per_query", int),
    "CK_LOADGEN_MULTISTREAMNESS": ("samples_per_query", int),
    "CK_LOADGEN_SINGLE_STREAM_TARGET_LATENCY_MS": ("target_latency", float),
    "CK_LOADGEN_MAX_EXAMPLES": ("count", int),
    "CK_BATCH_SIZE": ("batch_size", int),
    "BATCH_SIZE": ("batch_size", int),
    "CK_HOST_CPU_NUMBER_OF_PROCESSORS": ("threads", int),
    "CK_TF_CPU_NUM_OF_PROCESSORS": ("threads", int),
    "OMP_NUM_THREADS": ("threads", int),
    "CK_OPENVINO_NTHREADS": ("threads", int),
    "CK_OPENVINO_NSTREAMS": ("sessions", int),
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
    """CK's ``--env.NAME=value``.

    What other CK programs take and has no meaning here is reported and left out; a name that none of them has is an error.

    >>> from_environment({"CK_BATCH_COUNT": "5", "CK_BATCH_SIZE": "2"})
    {'batch_size': 2, 'count': 10}
    """
    values: dict[str, Any] = {}
    for name, value in env.items():
        if name in _NUMBERS_OF_CK:
            option, kind = _NUMBERS_OF_CK[name]
            values[option] = _number(f"--env.{name}", value, kind)
        elif name in _WORDS_OF_CK:
            values |= _word(name, str(value))
        elif name in VARIABLES_WITHOUT_EFFECT:
            progress.say(f"note: --env.{name} has no effect: {VARIABLES_WITHOUT_EFFECT[name]}")
        else:
            raise NotFoundError(
                f"--env.{name} is not understood",
                hint=did_you_mean(name, [*_WORDS_OF_CK, *_NUMBERS_OF_CK, *VARIABLES_WITHOUT_EFFECT]),
            )
    batches = values.pop("batches", None)
    if batches and "count" not in values:  # images as batches, each of one image unless it is said
        values["count"] = batches * values.get("batch_size", 1)
    return values


def _word(name: str, value: str) -> dict[str, Any]:
    """What a variable of CK says that is not a plain number."""
    if name in ("CK_LOADGEN_SCENARIO", "CK_SCENARIO"):
        return {"scenario": _chosen(name, value.lower(), {key: key for key in SCENARIOS}, "a scenario")}
    if name == "CK_LOADGEN_MODE":
        return {"mode": _chosen(name, value, _MODES_OF_CK, "a mode")}
    if name == "CK_MLPERF_COMPLIANCE_TEST":
        return {"compliance": _chosen(name, value, {key: key for key in COMPLIANCE}, "a compliance test")}
    if name in ("EXTRA_OPS", "CK_LOADGEN_EXTRA_PARAMS", "CK_LOADGEN_OPTS"):
        return from_extra_ops(value, name)
    if name in ("CK_LOADGEN_BACKEND", "MLPERF_BACKEND"):
        return {"backend": _BACKENDS_OF_CK.get(value.lower(), value)} if value else {}
    if name in ("MLPERF_DEVICE", "CK_OPENVINO_DEVICE"):
        return {"device": _chosen(name, value.lower(), _DEVICES_OF_CK, "a device")}
    if name == "CK_BATCH_COUNT":
        return {"batches": _number(f"--env.{name}", value, int)}
    if name == "CUDA_VISIBLE_DEVICES":
        return {"device": "cpu"} if value in ("", "-1") else {"visible_devices": value}
    if name in ("CK_LOADGEN_CONF_FILE", "CK_LOADGEN_USER_CONF"):
        return {"user_conf": value} if value else {}
    if value.upper() != "COCO":  # CK_METRIC_TYPE
        progress.say(f"note: --env.{name}={value} has no effect: accuracy is COCO's mAP")
    return {}


def _chosen(name: str, value: str, known: Mapping[str, str], what: str) -> str:
    if value not in known:
        raise UsageError(f"--env.{name}={value} is not {what}", hint=did_you_mean(value, known))
    return known[value]


def from_extra_ops(text: str, name: str = "EXTRA_OPS") -> dict[str, Any]:
    """The reference harness's options in ``EXTRA_OPS``, or in another variable.

    >>> from_extra_ops("--time 60 --qps 200 --max-latency 0.1")
    {'seconds': 60.0, 'target_qps': 200.0, 'target_latency': 100.0}
    """
    values: dict[str, Any] = {}
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    words = iter(word for part in parts for word in part.split("=", 1))
    for word in words:
        if word not in _EXTRA_OPS:
            raise NotFoundError(f"{name}: {word} is not understood", hint=did_you_mean(word, _EXTRA_OPS))
        option, kind, factor = _EXTRA_OPS[word]
        values[option] = _number(f"{name} {word}", next(words, ""), kind) * factor
    return values


def _number(name: str, value: Any, kind: type) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name}={value} is not {'a whole number' if kind is int else 'a number'}") from None
    if not 0 < number < float("inf"):
        raise UsageError(f"{name}={value} has to be more than 0")
    return number

"""The options of a run, declared once each.

The command line and its help, `--env`, EXTRA_OPS, the checks of numbers and of official runs, spec.json, the recorded and
replayed options, ``ck audit`` and the Python API follow from the declarations.
"""

import reprlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from ck_repo.errors import UsageError
from ck_repo.models.backends import other_names
from ck_repo.rounds.round import DEFAULT, load_round, round_names
from ck_repo.run.option import RunOption, Spelling, declared_options
from ck_repo.run.round_limits import check_duration, check_latency_bound, check_target

SCENARIOS = ("singlestream", "multistream", "server", "offline")
MODES = ("accuracy", "performance", "both")
DEVICES = ("cpu", "cuda")
COMPLIANCE = tuple(dict.fromkeys(test for name in round_names() for test in load_round(name).submission.tests))
DEFAULT_SECONDS = 10.0
AUTO = "auto"  # as the name of a backend
_MODES_OF_CK = {
    "AccuracyOnly": "accuracy", "PerformanceOnly": "performance", "SubmissionRun": "both",
    "Accuracy": "accuracy", "Performance": "performance", "--accuracy": "accuracy",
}  # fmt: skip


@dataclass(frozen=True)
class RunOptions:
    """The user's options for a run. With None, or an empty text, ck chooses."""

    model: Annotated[str, RunOption("alias or tags of the model (default: the embedded demo model)", value="TAGS")] = ""
    dataset: Annotated[str, RunOption("alias or tags of the data set (default: that of the model)", value="TAGS")] = ""
    backend: Annotated[
        str,
        RunOption(
            f"the framework (default: that of the model); `{AUTO}`: the fastest of those with the same accuracy",
            value="NAME",
            parts="backend-options",
            ck=Spelling("CK_LOADGEN_BACKEND MLPERF_BACKEND", words=other_names, any_case=True),
        ),
    ] = ""
    backend_options: Annotated[
        Mapping[str, str],
        RunOption("options of the backend, as --backend.KEY=VALUE: see docs/tune.md", in_spec=True),
    ] = field(default_factory=dict)
    calibration: Annotated[
        str,
        RunOption(
            "images for calibrating 8-bit arithmetic: the first N of the data set (default 32), a folder, or a file of names",
            value="FOLDER",
            file=True,
        ),
    ] = ""
    device: Annotated[
        str,
        RunOption(
            "the device to run on (default cpu)",
            value="cpu",
            choices=DEVICES,
            ck=Spelling(
                "MLPERF_DEVICE CK_OPENVINO_DEVICE",
                words={"cpu": "cpu", "gpu": "cuda", "cuda": "cuda"},
                any_case=True,
                what="a device",
            ),
            in_spec=True,
        ),
    ] = "cpu"
    visible_devices: Annotated[
        str,
        RunOption(
            "GPUs for the run, as in CUDA_VISIBLE_DEVICES (default all)",
            value="0,1",
            this_machine=True,
        ),
    ] = ""
    scenario: Annotated[
        str,
        RunOption(
            "LoadGen's scenario (default offline)",
            value="offline",
            choices=SCENARIOS,
            ck=Spelling(
                "CK_LOADGEN_SCENARIO CK_SCENARIO", words={key: key for key in SCENARIOS}, any_case=True, what="a scenario"
            ),
            in_spec=True,
        ),
    ] = "offline"
    round: Annotated[
        str,
        RunOption(
            f"the round whose rules apply (default {DEFAULT})",
            value=DEFAULT,
            choices=tuple(round_names()),
            default_recorded=False,
        ),
    ] = DEFAULT
    mode: Annotated[
        str,
        RunOption(
            "the tests to run (default both)",
            value="both",
            choices=MODES,
            ck=Spelling("CK_LOADGEN_MODE", words=_MODES_OF_CK, what="a mode"),
            audited=False,
        ),
    ] = "both"
    seconds: Annotated[
        float | None,
        RunOption(
            "minimum duration of the performance test, in s (default 10)",
            option="time",
            maximum=30 * 86400,
            extra_ops="--time",
            official=check_duration,
        ),
    ] = None
    count: Annotated[
        int | None,
        RunOption(
            "number of images, from the first (default all)",
            maximum=10**9,
            ck=Spelling("CK_LOADGEN_DATASET_SIZE CK_LOADGEN_MAX_EXAMPLES"),
            extra_ops="--count",
            official="an official run uses the complete data set",
            in_spec=True,
        ),
    ] = None
    target_qps: Annotated[
        float | None,
        RunOption(
            "target in queries/s (server) or samples/s (offline)",
            maximum=10**9,
            ck=Spelling("CK_LOADGEN_TARGET_QPS"),
            extra_ops="--qps",
            official=check_target,
        ),
    ] = None
    target_latency: Annotated[
        float | None,
        RunOption(
            "latency bound, in ms",
            maximum=10**9,
            ck=Spelling("CK_LOADGEN_TARGET_LATENCY CK_LOADGEN_SINGLE_STREAM_TARGET_LATENCY_MS"),
            extra_ops="--max-latency",
            extra_ops_factor=1000,  # the reference harness takes seconds
            official=check_latency_bound,
        ),
    ] = None
    samples_per_query: Annotated[
        int | None,
        RunOption(
            "samples of a query, for multistream",
            maximum=10**6,
            ck=Spelling("CK_LOADGEN_SAMPLES_PER_QUERY CK_LOADGEN_MULTISTREAMNESS"),
            extra_ops="--samples-per-query",
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        RunOption(
            "maximum batch size (default: measured)",
            maximum=10**5,
            ck=Spelling("CK_BATCH_SIZE BATCH_SIZE"),
            extra_ops="--max-batchsize",
            in_spec=True,
            measured=True,
        ),
    ] = None
    threads: Annotated[
        int | None,
        RunOption(
            "threads of a session (default: measured)",
            maximum=4096,
            ck=Spelling("CK_HOST_CPU_NUMBER_OF_PROCESSORS CK_TF_CPU_NUM_OF_PROCESSORS OMP_NUM_THREADS CK_OPENVINO_NTHREADS"),
            extra_ops="--threads",
            in_spec=True,
            measured=True,
        ),
    ] = None
    sessions: Annotated[
        int | None,
        RunOption(
            "number of parallel sessions (default: measured)",
            maximum=4096,
            ck=Spelling("CK_OPENVINO_NSTREAMS"),
            in_spec=True,
            measured=True,
        ),
    ] = None
    processes: Annotated[
        int | None,
        RunOption(
            "number of processes that the sessions are distributed over (default: by the measured rate)",
            maximum=4096,
            in_spec=True,
            measured=True,
        ),
    ] = None
    retune: Annotated[
        bool,
        RunOption(
            "measure sessions, threads and batch size again instead of using the cached result",
            this_machine=True,
            audited=False,
            default_recorded=False,
        ),
    ] = False
    official: Annotated[bool, RunOption("the durations and counts of the round's rules: 600 s in v1.0", in_spec=True)] = False
    # `held`: the run's duration and a check afterwards, so that the order of samples is that of v1.0; `loadgen`: LoadGen's own
    # setting, as the round's checker looks for it
    counts: Annotated[
        str,
        RunOption(
            "for official runs, how the minimum query count is ensured: `held` by the duration, `loadgen` by LoadGen's setting",
            value="loadgen",
            choices=("held", "loadgen"),
            default_recorded=False,
        ),
    ] = "held"
    user_conf: Annotated[
        str,
        RunOption(
            "read targets from this file, in v1.0's syntax (`ck find performance` writes one)",
            value="FILE",
            file=True,
            ck=Spelling("CK_LOADGEN_CONF_FILE CK_LOADGEN_USER_CONF"),
            this_machine=True,
        ),
    ] = ""
    meter: Annotated[
        str,
        RunOption(
            "a command to run during the benchmark, in its run folder, for example to read a power meter",
            value="COMMAND",
            this_machine=True,
        ),
    ] = ""
    compliance: Annotated[
        str,
        RunOption(
            "run a compliance test: a performance run with special settings",
            value="TEST01",
            choices=COMPLIANCE,
            ck=Spelling("CK_MLPERF_COMPLIANCE_TEST", words={key: key for key in COMPLIANCE}, what="a compliance test"),
            audited=False,
        ),
    ] = ""
    reference_faults: Annotated[
        bool, RunOption("reproduce known errors of the v1.0 reference, for comparison with its logs", in_spec=True)
    ] = False
    trace: Annotated[
        str,
        RunOption(
            "record the time of every sample for reports; `yes` also keeps LoadGen's trace (default: if not official or long)",
            value="yes",
            choices=("auto", "yes", "no"),
            in_spec=True,
            audited=False,
            default_recorded=False,
        ),
    ] = "auto"
    profile: Annotated[
        bool,
        RunOption(
            "measure the time of a sample by stage: queue, batch, framework, packing, LoadGen",
            official="an official run is not profiled",
            in_spec=True,
            audited=False,
            default_recorded=False,
        ),
    ] = False
    scorer: Annotated[
        str,
        RunOption(
            "the scorer of mAP: faster-coco-eval is the faster one (default: if it is installed and the run is not official)",
            value="pycocotools",
            choices=("auto", "pycocotools", "faster-coco-eval"),
            in_spec=True,
            default_recorded=False,
        ),
    ] = "auto"
    venv: Annotated[
        str,
        RunOption("the venv to use (default: the active one, else mlperf-inference)", value="NAME", this_machine=True),
    ] = ""
    added_tags: Annotated[
        Mapping[str, str],
        RunOption(
            "additional tags for a dependency of the program: weights, dataset, loadgen …",
            option="dep_add_tags",
            keyword="dependency_tags",
        ),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option in RUN_OPTIONS:
            value = getattr(self, option.name)
            if wrong := _wrong_type(option, value):
                raise UsageError(f"{option.name} is {reprlib.repr(value)}, not {wrong}")
            if value is None or option.maximum is None:
                continue
            integer = option.kind == "integer"
            if isinstance(value, bool) or not isinstance(value, int if integer else int | float):
                raise UsageError(f"{option.name} is {value!r}, not {'an integer' if integer else 'a number'}")
            if not 0 < value <= option.maximum:  # also false for NaN
                raise UsageError(f"{option.name} is {value!r}; it has to be more than 0 and at most {option.maximum:g}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "RunOptions":
        """Checked options from values by name.

        Raises
        ------
        UsageError
            If a value has the wrong type, or is out of bounds.
        """
        return cls(**values)

    def with_values(self, values: Mapping[str, Any]) -> "RunOptions":
        """The options with some values replaced and checked."""
        return replace(self, **values)

    @property
    def modes(self) -> tuple[str, ...]:
        """The tests to run, accuracy first: a wrong answer is reported before the longer test starts.

        A compliance test is a performance run with other settings.
        """
        if self.compliance:
            return ("performance",)
        return ("accuracy", "performance") if self.mode == "both" else (self.mode,)

    def as_data(self) -> dict[str, object]:
        """The options that were set."""
        values = ((option, getattr(self, option.name)) for option in RUN_OPTIONS)
        return {
            option.name: value
            for option, value in values
            if value not in (None, "", {}) and (option.default_recorded or value != option.default)
        }


def _wrong_type(option: RunOption, value: object) -> str:
    """The requirement for a text, flag or nested option, if the value differs, for example in an edited lock."""
    if option.kind == "text" and not isinstance(value, str):
        return "a text"
    if option.kind == "flag" and not isinstance(value, bool):
        return "true or false"
    if option.kind != "nested":
        return ""
    texts = isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
    return "" if texts else "an object of texts"


RUN_OPTIONS = declared_options(RunOptions)
MEASURED = tuple(option.name for option in RUN_OPTIONS if option.measured)


def command_of(options: RunOptions, *, program: str = "object-detection", mode: str = "run") -> str:
    """The command for these options; defaults are omitted.

    >>> command_of(RunOptions(scenario="server", target_qps=50.0))
    'ck run program:object-detection --scenario=server --target-qps=50'

    Parameters
    ----------
    program
        The name of the program.
    mode
        The action.
    """
    asked: Mapping[str, Any] = options.as_data()
    words = []
    for option in RUN_OPTIONS:
        value = asked.get(option.name, option.default)
        if value == option.default:
            continue
        if option.kind == "nested":
            words += [f"--{option.option}.{shlex.quote(name)}={shlex.quote(text)}" for name, text in value.items()]
        elif option.kind == "flag":
            words.append(f"--{option.option}")
        else:
            words.append(f"--{option.option}={shlex.quote(f'{value:.12g}' if isinstance(value, float) else str(value))}")
    return " ".join([f"ck {mode} {shlex.quote(f'program:{program}')}", *words])
